"""The optimiser that a configuration names, and its rates."""

import pytest
import torch

from ecgtune.config import EmotionConfig, PretextConfig, configure
from ecgtune.training.optimiser import base_rate, build_optimizer, set_rate


@pytest.mark.parametrize(
    ("name", "kind", "setting"),
    [
        ("adam", torch.optim.Adam, "lr"),
        ("adamw", torch.optim.AdamW, "weight_decay"),
        ("sgd", torch.optim.SGD, "momentum"),
    ],
)
@pytest.mark.parametrize("stage", ["pretext", "emotion"])
def test_every_optimiser_with_its_own_settings(name, kind, setting, stage):
    given = {f"{stage}/optimizer": name, f"{stage}/{name}/lr": 0.25, f"{stage}/{name}/{setting}": 0.125}
    config = configure(PretextConfig if stage == "pretext" else EmotionConfig, given, where="test")
    weights = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    optimizer = build_optimizer(config, (weights[:1], 0.5), (weights[1:], 1.0))
    assert type(optimizer) is kind
    rate = 0.125 if setting == "lr" else 0.25
    assert base_rate(config) == rate
    assert [group["lr"] for group in optimizer.param_groups] == [rate / 2, rate]
    assert optimizer.param_groups[0][setting] == (rate / 2 if setting == "lr" else 0.125)
    set_rate(optimizer, 0.01)
    assert [group["lr"] for group in optimizer.param_groups] == [0.005, 0.01]
    assert torch.optim.Adam is not torch.optim.AdamW
    if name == "adam":
        assert optimizer.param_groups[0]["weight_decay"] == 0
