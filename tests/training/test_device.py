"""Names of devices."""

import pytest
import torch

from ecgtune.errors import InputError
from ecgtune.training.device import resolve_device


@pytest.mark.parametrize(("usable", "expected"), [(False, "cpu"), (True, "cuda")])
def test_auto(usable, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    assert resolve_device("auto") == expected


@pytest.mark.parametrize(("name", "n_gpus", "good"), [
    ("cpu", 0, True), ("cuda", 1, True), ("cuda:1", 2, True),
    ("cuda", 0, False), ("cuda:1", 1, False), ("mps", 0, False), ("quantum", 0, False),
])  # fmt: skip
def test_names(name, n_gpus, good, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    if good:
        assert resolve_device(name) == name
    else:
        with pytest.raises(InputError, match="choose"):
            resolve_device(name)
