import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from ecgtune.sweep.cma import CmaSampler, _place, _value
from ecgtune.sweep.seen import SeenStudy

SPACE = {"lr": FloatDistribution(1e-5, 1e-1, log=True), "width": IntDistribution(1, 40), "p": FloatDistribution(0, 0.9)}


@pytest.mark.parametrize(
    "found",
    [
        FloatDistribution(-1, 3),
        FloatDistribution(1e-5, 1e-1, log=True),
        FloatDistribution(0, 0.3, step=0.1),
        IntDistribution(2, 12, step=5),
        IntDistribution(1, 64, log=True),
    ],
)
@given(place=st.floats(0, 1))
def test_every_place_has_a_value_of_the_range_and_values_keep_their_place(found, place):
    value = _value(found, place)
    assert found._contains(found.to_internal_repr(value))
    assert found.low <= value <= found.high
    assert _value(found, _place(found, value)) == pytest.approx(value)


def test_steps_have_equal_shares():
    found = IntDistribution(2, 12, step=5)
    values = [_value(found, place) for place in np.linspace(0, 1, 3001)]
    assert [round(values.count(value) / 3001, 2) for value in (2, 7, 12)] == [0.33, 0.33, 0.33]


def loss(params):
    return (math.log10(params["lr"]) + 2) ** 2 + ((params["width"] - 30) / 10) ** 2 + 4 * (params["p"] - 0.2) ** 2


def sweep(seed, trials, state=lambda number: TrialState.COMPLETE):
    study, found = SeenStudy("minimize"), []
    for number in range(trials):
        study.shown = found
        sampler = CmaSampler(1000 * seed + number, SPACE)
        params = sampler.sample_relative(study, None, sampler.infer_relative_search_space(study, None))
        value = loss(params)
        trial = create_trial(
            state=state(number), value=value, params=params, distributions=SPACE, intermediate_values={1: value}
        )
        trial.number = number
        found.append(trial)
    return found


def test_it_closes_in_on_the_minimum():
    def median_loss(trials):
        return statistics.median(loss(trial.params) for trial in trials)

    ratios = []
    for seed in range(5):
        found = sweep(seed, 100)
        ratios.append(median_loss(found[-14:]) / median_loss(found[:14]))
    assert statistics.median(ratios) < 0.2


def test_pruned_trials_teach_as_well():
    found = sweep(0, 80, lambda number: TrialState.PRUNED if number % 4 else TrialState.COMPLETE)
    assert statistics.median(loss(trial.params) for trial in found[-14:]) < statistics.median(
        loss(trial.params) for trial in found[:14]
    )


def test_a_generation_waits_for_its_last_trial():
    """Seven make a generation of three parameters; until all have ended, the start distribution stays."""
    found = sweep(0, 7)
    sampler, study = CmaSampler(9, SPACE), SeenStudy("minimize")
    fresh = sampler.sample_relative(study, None, SPACE)
    study.shown = found[:6]
    assert sampler.sample_relative(study, None, SPACE) == fresh
    running = create_trial(state=TrialState.RUNNING, params=found[6].params, distributions=SPACE)
    running.number = 6
    study.shown = [*found[:6], running]
    assert sampler.sample_relative(study, None, SPACE) == fresh
    study.shown = found
    assert sampler.sample_relative(study, None, SPACE) != fresh


def test_first_points_are_not_of_a_generation():
    found = sweep(0, 7)
    found[0].user_attrs["origin"] = "default configuration"
    sampler, study = CmaSampler(9, SPACE), SeenStudy("minimize")
    fresh = sampler.sample_relative(study, None, SPACE)
    study.shown = found
    assert sampler.sample_relative(study, None, SPACE) == fresh


def test_nothing_numeric_leaves_all_to_chance():
    sampler = CmaSampler(0, {"one": IntDistribution(3, 3)})
    assert sampler.infer_relative_search_space(None, None) == {}
    assert sampler.sample_relative(SeenStudy("minimize"), None, {}) == {}
