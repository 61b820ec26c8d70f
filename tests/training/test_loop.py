"""What both loops share."""

import pytest

from ecgtune.training.loop import micro_batch
from ecgtune.training.pretrain import MICRO_BATCH as PRETEXT
from ecgtune.training.unfrozen import MICRO_BATCH as EMOTION


@pytest.mark.parametrize("sizes", [PRETEXT, EMOTION])
def test_with_batch_norm_the_device_does_not_change_the_model(sizes):
    for device in ("cuda", "cuda:1"):
        assert micro_batch(sizes, device, batch_norm=True) == micro_batch(sizes, "cpu", batch_norm=True)
        assert micro_batch(sizes, device, batch_norm=False) == sizes["cuda"] > sizes["cpu"]
    assert micro_batch(sizes, "cpu", batch_norm=False) == sizes["cpu"]
