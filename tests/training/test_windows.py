"""Windows on the device."""

import numpy as np
import pytest
import torch

from ecgtune.training.windows import Windows


def test_windows_are_those_of_the_pool_wherever_they_are_kept(pool):
    used = np.array([5, 1, 7, 3, 5])
    mapped, kept = Windows(pool, used, "cpu"), Windows(pool, used, "cpu")
    kept.keep(np.unique(used))
    for index in ([7, 1], [5], [3, 5, 1, 7]):
        expected = torch.from_numpy(pool.take(np.array(index)))
        assert torch.equal(mapped.take(np.array(index)), expected)
        assert torch.equal(kept.take(np.array(index)), expected)


@pytest.mark.parametrize(("free", "kept"), [(10**9, True), (1000, False)])
def test_a_gpu_keeps_them_where_it_has_room(free, kept, pool, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**9))
    taken = []
    monkeypatch.setattr(Windows, "keep", lambda self, used: taken.append(used.tolist()))
    Windows(pool, np.array([5, 1, 1]), "cuda:0")
    assert taken == ([[1, 5]] if kept else [])
