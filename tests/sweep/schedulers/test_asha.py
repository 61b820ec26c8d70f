from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.tune.schedulers import AsyncHyperBandScheduler

from ecgtune.sweep.schedulers import Asha, Verdict
from ecgtune.sweep.schedulers.rungs import rungs


@pytest.mark.parametrize(
    ("grace", "factor", "last", "expected"),
    [(1, 2, 8, (1, 2, 4)), (1, 2, 9, (1, 2, 4, 8)), (3, 3, 100, (3, 9, 27, 81)), (5, 2, 5, ()), (1, 2, 1, ())],
)
def test_rungs(grace, factor, last, expected):
    assert rungs(grace, factor, last) == expected


@given(st.integers(1, 400), st.integers(1, 400), st.integers(2, 10))
def test_the_rungs_are_those_at_which_ray_decides(last, grace, factor):
    grace = min(grace, last)
    rays = AsyncHyperBandScheduler(max_t=last, grace_period=grace, reduction_factor=factor)
    assert rungs(grace, factor, last) == tuple(sorted(rung for rung, _ in rays._brackets[0]._rungs if rung < last))


@pytest.mark.parametrize("seed", range(30))
def test_it_decides_as_rays_does_whoever_comes_first(seed):
    rng = np.random.default_rng(seed)
    grace, factor, last = int(rng.integers(1, 4)), int(rng.integers(2, 5)), int(rng.integers(4, 30))
    ours = Asha(grace, factor, last)
    rays = AsyncHyperBandScheduler(
        "epoch", "score", "max", max_t=last, grace_period=grace, reduction_factor=factor, brackets=1
    )
    trials = [SimpleNamespace(trial_id=f"{number:05d}") for number in range(25)]
    for trial in trials:
        rays.on_trial_add(None, trial)
    epochs = dict.fromkeys(range(25), 0)
    decisions = set()
    while epochs:
        number = int(rng.choice(list(epochs)))
        epochs[number] += 1
        # Ties are wanted as well.
        score = float(np.round(rng.normal(), 1))
        result = {"epoch": epochs[number], "score": score}
        stopped = rays.on_trial_result(None, trials[number], result) == "STOP"
        verdict = ours.tell(trials[number].trial_id, epochs[number], score)
        if epochs[number] == last:
            assert verdict is Verdict.GO_ON
            del epochs[number]
            continue
        assert (verdict is Verdict.STOP) == stopped
        decisions.add(stopped)
        if stopped:
            del epochs[number]
    assert decisions == {True, False}


def test_an_epoch_told_again_changes_nothing():
    asha = Asha(1, 2, 8)
    assert asha.tell("00000", 1, 0.5) is Verdict.GO_ON
    assert asha.tell("00000", 1, 0.1) is Verdict.GO_ON
    assert asha.tell("00001", 1, 0.4) is Verdict.STOP
