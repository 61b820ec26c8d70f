"""What both loops share."""

import pytest

from ecgtune.training.loop import common, micro_batch
from ecgtune.training.pretrain import MICRO_BATCH as PRETEXT
from ecgtune.training.unfrozen import MICRO_BATCH as EMOTION


def test_with_batch_norm_neither_the_device_nor_the_path_changes_the_model():
    for sizes in (*PRETEXT.values(), EMOTION):
        assert {micro_batch(sizes, device, batch_norm=True) for device in ("cpu", "cuda", "cuda:1")} == {sizes["norm"]}
    # So that they can be compared.
    assert PRETEXT["bf16"] == PRETEXT["inductor"] == PRETEXT["cudagraphs"]
    assert len({sizes["norm"] for sizes in PRETEXT.values()}) == 1


@pytest.mark.parametrize("sizes", [*PRETEXT.values(), EMOTION])
def test_without_batch_norm_the_device_decides(sizes):
    assert micro_batch(sizes, "cpu", batch_norm=False) == sizes["cpu"]
    assert micro_batch(sizes, "cuda:1", batch_norm=False) == sizes["cuda"] > sizes["cpu"]


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ([64] * 7 + [5], {64, 5}),
        ([64] * 8 + [5], {64}),
        ([33] + [32] * 31, {32}),
        ([64, 36] * 20 + [7], {64, 36}),
        ([3], {3}),
        ([], set()),
    ],
)
def test_common_sizes_are_those_of_an_eighth_of_the_passes(sizes, found):
    assert common(iter(sizes)) == found
