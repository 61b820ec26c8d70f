"""The schedule against the reported run and against a formula written another way."""

import cmath
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgtune.config import SchedulerConfig
from ecgtune.errors import ConfigError
from ecgtune.training.schedule import learning_rate, require_room

# Trial 00000 of the reported search: 100 epochs.
BASE = 0.0020220503805149607
REPORTED = SchedulerConfig("cosine_w_restarts", warmup=8, cycles=1, decay=0.9671129657621143, span="reported")


def test_the_reported_rate_of_epoch_72():
    assert learning_rate(REPORTED, BASE, 72, 100) == pytest.approx(0.0002698912820721283, rel=1e-15, abs=0)


def _by_halves(base: float, warmup: int, cycles: int, epoch: int, epochs: int) -> float:
    """The reported curve by squared half-angles, with each restart found by counting."""
    if epoch < warmup:
        return base * (epoch / warmup)
    if epoch >= epochs - warmup:
        return 0.0
    position = cycles * (epoch - warmup) / (epochs - 2 * warmup)
    while position >= 1.0:
        position -= 1.0
    return base * abs(1 + cmath.exp(1j * math.pi * position)) ** 2 / 4


@pytest.mark.parametrize(("warmup", "cycles"), [(8, 1), (5, 2), (14, 3), (0, 1)])
def test_the_whole_reported_curve(warmup, cycles):
    config = SchedulerConfig("cosine_w_restarts", warmup=warmup, cycles=cycles, span="reported")
    got = [learning_rate(config, BASE, epoch, 100) for epoch in range(100)]
    expected = [_by_halves(BASE, warmup, cycles, epoch, 100) for epoch in range(100)]
    assert got == pytest.approx(expected, rel=1e-12, abs=1e-18)


def test_the_reported_curve_is_zero_at_both_ends():
    curve = [learning_rate(REPORTED, BASE, epoch, 100) for epoch in range(100)]
    assert curve[0] == 0
    assert curve[8] == BASE
    assert curve[91] > 0
    assert set(curve[92:]) == {0}


@pytest.mark.parametrize("cycles", [1, 2, 3])
def test_the_full_span_ends_with_the_last_epoch(cycles):
    config = SchedulerConfig("cosine_w_restarts", warmup=10, cycles=cycles)
    curve = [learning_rate(config, 1.0, epoch, 100) for epoch in range(100)]
    assert curve[:10] == pytest.approx([(epoch + 1) / 11 for epoch in range(10)])
    length = 90 / cycles
    for cycle in range(cycles):
        start = 10 + round(cycle * length)
        assert curve[start] == pytest.approx(1.0)
        # The last epoch of a half-cosine is one step short of its end.
        assert curve[start + round(length) - 1] == pytest.approx(math.sin(math.pi / 2 / length) ** 2)


@pytest.mark.parametrize("type_", ["none", "decay"])
def test_warm_up_belongs_to_the_cosine(type_):
    config = SchedulerConfig(type_, warmup=5, decay=0.9)
    curve = [learning_rate(config, 0.5, epoch, 10) for epoch in range(10)]
    factor = 0.9 if type_ == "decay" else 1.0
    assert curve == pytest.approx([0.5 * factor**epoch for epoch in range(10)])


@pytest.mark.parametrize(("warmup", "epochs"), [(5, 5), (9, 5), (1, 1)])
def test_a_warm_up_as_long_as_the_run_is_all_climb(warmup, epochs):
    config = SchedulerConfig("cosine_w_restarts", warmup=warmup)
    curve = [learning_rate(config, 1.0, epoch, epochs) for epoch in range(epochs)]
    assert curve == sorted(curve)
    assert curve[0] > 0
    assert curve[-1] < 1


def test_no_room_for_the_reported_cosine():
    config = SchedulerConfig("cosine_w_restarts", warmup=4, span="reported")
    assert [learning_rate(config, 1.0, epoch, 8) for epoch in (0, 2, 4, 7)] == [0, 0.5, 0, 0]
    assert [learning_rate(config, 1.0, epoch, 6) for epoch in range(6)] == [0, 0.25, 0.5, 0.75, 0, 0]


@pytest.mark.parametrize("epochs", [1, 3, 4])
def test_a_warm_up_that_fills_the_run_has_no_reported_schedule(epochs):
    config = SchedulerConfig("cosine_w_restarts", warmup=4, span="reported")
    with pytest.raises(ConfigError, match=rf"emotion/scheduler: .*4 epochs fills all {epochs} .*more than 8 epochs"):
        require_room(config, epochs, stage="emotion")


@pytest.mark.parametrize(
    ("config", "epochs"),
    [
        (REPORTED, 100),
        (SchedulerConfig("cosine_w_restarts", warmup=4, span="reported"), 5),
        (SchedulerConfig("cosine_w_restarts", warmup=0, span="reported"), 1),
        (SchedulerConfig("cosine_w_restarts", warmup=4), 4),
        (SchedulerConfig("decay", warmup=4, span="reported"), 4),
    ],
)
def test_every_other_schedule_has_room(config, epochs):
    require_room(config, epochs, stage="pretext")


@given(
    st.sampled_from(["none", "decay", "cosine_w_restarts"]), st.integers(0, 20), st.integers(1, 5),
    st.integers(1, 60), st.data(),
)  # fmt: skip
def test_the_rate_stays_within_bounds_and_trains_every_epoch(type_, warmup, cycles, epochs, data):
    epoch = data.draw(st.integers(0, epochs - 1))
    rate = learning_rate(SchedulerConfig(type_, warmup=warmup, cycles=cycles), 0.1, epoch, epochs)
    assert 0 < rate <= 0.1


def test_an_unknown_type():
    with pytest.raises(KeyError, match="polynomial"):
        learning_rate(SchedulerConfig("polynomial"), 0.1, 0, 10)
