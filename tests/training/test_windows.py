"""Windows on the device."""

import numpy as np
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
