import math
import statistics

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from ecgtune.space import Categorical, Float, Int, SearchSpace, SweepSettings, active
from ecgtune.space.grid import points
from ecgtune.sweep import gp
from ecgtune.sweep.gp import GpSampler
from ecgtune.sweep.points import point_key
from ecgtune.sweep.sampling import SEARCHERS, distributions, draw
from ecgtune.sweep.seen import SeenStudy, honest

EPOCHS = 4
LR = Float("lr", 1e-5, 1e-1, log=True)
TYPE = Categorical("type", ("none", "cosine", "step"))
WARMUP = Float("warmup", 0.0, 1.0, when={"type": ("cosine",)})
DROPS = Int("drops", 1, 9, when={"type": ("step",)})
BATCH = Categorical("batch", (32, 64, 128, 256))
SMALL = Int("x", 0, 11)


def make_space(*parameters, mode="min"):
    settings = SweepSettings("pretext", "val_loss", mode, max_epochs=EPOCHS)
    return SearchSpace(None, "", settings, parameters, {})


SPACE = make_space(LR, TYPE, WARMUP, DROPS, BATCH)


def loss(point):
    """Least at 0: a learning rate of 0.003, a batch of 64, and a cosine with a warm-up of 0.3."""
    found = abs(math.log10(point["lr"]) + 2.5) + abs(math.log2(point["batch"]) - 6) / 4
    return found + {"none": 0.5, "cosine": 2 * abs(point.get("warmup", 0) - 0.3), "step": 1.0}[point["type"]]


def make_trial(space, number, point, scores, state="PRUNED", reason=""):
    trial = create_trial(
        state=TrialState[state],
        value=scores[-1] if state == "COMPLETE" else None,
        params=point,
        distributions=distributions(space, point),
        intermediate_values=dict(enumerate(scores, 1)),
        user_attrs={"reason": reason} if reason else {},
    )
    trial.number = number
    return trial


def proposed(space, trials, seed=0, direction="minimize"):
    """What the sampler draws after the trials."""
    study = SeenStudy(direction)
    study.shown = honest(trials, paused=False)
    return draw(GpSampler(seed, space), study, len(trials), space, {})


def told(space, trials, seed=0):
    """What the sampler, and not chance, has to say after the trials."""
    study = SeenStudy("minimize")
    study.shown = honest(trials, paused=False)
    return GpSampler(seed, space).sample_relative(study, None, {})


def sweep(n_trials, searcher="gp", seed=0, sign=1, state=lambda number: "COMPLETE"):
    """Trials one after the other; of those that are stopped one epoch is known, in which all are 1 worse."""
    study, found = SeenStudy("minimize" if sign == 1 else "maximize"), []
    for number in range(n_trials):
        study.shown = found
        point = draw(SEARCHERS[searcher](1000 * seed + number, SPACE), study, number, SPACE, {})
        scores = [sign * (loss(point) + 1 / epoch) for epoch in range(1, EPOCHS + 1)]
        its_state = state(number)
        found.append(make_trial(SPACE, number, point, scores if its_state == "COMPLETE" else scores[:1], its_state))
    return found


def test_it_finds_the_good_region_of_a_conditional_space_where_chance_does_not():
    """And without a single complete trial."""
    ours, chance = (
        [trial.params for seed in range(3) for trial in sweep(30, searcher, seed, state=lambda _: "PRUNED")[-10:]]
        for searcher in ("gp", "random")
    )
    assert statistics.median(map(loss, ours)) < 0.5 * statistics.median(map(loss, chance))
    assert [point["type"] for point in ours].count("cosine") > 15


def some_stopped(number):
    return "PRUNED" if number % 4 else "COMPLETE"


@pytest.mark.parametrize("state", [lambda _: "PRUNED", some_stopped], ids=["all stopped", "some stopped"])
def test_it_draws_the_same_whichever_trials_were_stopped(state):
    """All would have got better by as much, so that their order is the same."""
    assert [trial.params for trial in sweep(16, state=state)] == [trial.params for trial in sweep(16)]


def test_parameters_are_drawn_only_where_they_are_in_play():
    found = sweep(30)
    assert all(tuple(trial.params) == active(SPACE.parameters, trial.params) for trial in found)
    assert {trial.params["type"] for trial in found} == {"none", "cosine", "step"}


def test_to_maximise_is_to_minimise_the_negative():
    least, most = sweep(25, state=some_stopped), sweep(25, sign=-1, state=some_stopped)
    assert [trial.params for trial in least] == [trial.params for trial in most]


def test_a_draw_depends_on_the_trials_and_the_seed_alone():
    """A sweep that is taken up again asks a new sampler, and a new study."""
    found = sweep(15)
    expected = told(SPACE, found, seed=7)
    assert told(SPACE, found, seed=7) == expected
    assert told(SPACE, found, seed=8) != expected
    assert told(SPACE, found[:9], seed=7) != expected


def line(n_trials, score=lambda x: x, **given):
    """Trials at 0, 1, ... of a space of 12 points."""
    return [make_trial(make_space(SMALL), x, {"x": x}, [float(score(x))], **given) for x in range(n_trials)]


def test_nothing_is_tried_again():
    space, found = make_space(SMALL), line(8)
    while len(found) < 12:
        point = told(space, found)
        found.append(make_trial(space, len(found), point, [float(point["x"])]))
    assert sorted(trial.params["x"] for trial in found) == list(range(12))
    assert told(space, found) == {}
    assert told(space, [*found[:11], make_trial(space, 11, found[11].params, [], "RUNNING")]) == {}


@pytest.mark.parametrize("state", ["FAIL", "RUNNING"])
def test_what_runs_or_failed_was_tried_as_well(state):
    space, found = make_space(SMALL), line(9)
    best = told(space, found)
    assert told(space, [*found, make_trial(space, 9, best, [], state, reason="error")]) not in ({}, best)


def test_too_little_to_learn_from_leaves_all_to_chance():
    space = make_space(SMALL)
    assert told(space, line(7)) == {}
    assert told(space, line(8)) != {}
    # Neither what was broken nor what has not got anywhere is something to learn from.
    others = [
        make_trial(space, 7 + more, {"x": 7 + more}, [], state, reason="error")
        for more, state in enumerate(("FAIL", "RUNNING"))
    ]
    assert told(space, line(7) + others) == {}
    assert told(space, [*line(7), make_trial(space, 7, {"x": 7}, [1.0], "FAIL", "error")]) == {}
    # What failed through its own fault is, and so is what runs and has finished an epoch.
    assert told(space, [*line(7), make_trial(space, 7, {"x": 7}, [], "FAIL", "nan")]) != {}
    assert told(space, [*line(7), make_trial(space, 7, {"x": 7}, [1.0], "RUNNING")]) != {}
    assert set(proposed(space, line(3))) == {"x"}


FINE = Float("x", 0.0, 1.0)


def spread(reasons=lambda x: "", n_trials=16, score=lambda x: 1 - x):
    """Trials over the whole of a line, better to the right."""
    found = []
    for number in range(n_trials):
        x = number / (n_trials - 1)
        reason = reasons(x)
        its = ([], "FAIL", reason) if reason else ([score(x)], "PRUNED", "")
        found.append(make_trial(make_space(FINE), number, {"x": x}, *its))
    return found


def test_where_trials_failed_through_their_own_fault_is_avoided():
    """All that is known is that it gets better to the right, until training diverges there; or until a node broke."""

    def drawn(reason):
        found = spread(lambda x: reason if x > 0.75 else "")
        return statistics.median(proposed(make_space(FINE), found, seed)["x"] for seed in range(10))

    assert drawn("nan") < 0.75
    assert drawn("out_of_memory") < 0.75
    assert drawn("error") > 0.75


def test_how_bad_the_worst_are_makes_no_difference():
    """A loss of a thousand where training diverged would make all others look alike."""
    plain, huge = spread(score=lambda x: 1 - x), spread(score=lambda x: 1 - x if x else 1000.0)
    space = make_space(FINE)
    assert [proposed(space, plain, seed) for seed in range(5)] == [proposed(space, huge, seed) for seed in range(5)]


def test_a_trial_that_was_stopped_is_taken_for_what_it_would_have_become():
    """Half of the trials ended after their last epoch, each 1 better than after its first.

    Taken for what they had, those that were stopped would look worse than any of the complete ones, which lie left.
    """
    space, found = make_space(FINE), []
    for number, x in enumerate(np.linspace(0, 1, 16)):
        first = 2 - x
        its = ([first, first - 1, first - 1, first - 1], "COMPLETE") if x < 0.5 else ([first], "PRUNED")
        found.append(make_trial(space, number, {"x": float(x)}, *its))
    assert statistics.median(proposed(space, found, seed)["x"] for seed in range(10)) > 0.8


def test_a_trial_that_runs_teaches_what_it_would_teach_had_it_been_stopped():
    """Its epochs are known; no prediction is believed in their place."""
    space, found = make_space(FINE), spread(score=lambda x: abs(x - 0.5))
    running, stopped = (make_trial(space, 16, {"x": 0.48}, [0.02], state) for state in ("RUNNING", "PRUNED"))
    for seed in range(5):
        assert proposed(space, [*found, running], seed) == proposed(space, [*found, stopped], seed)


def test_trials_that_run_at_once_look_at_different_places():
    """Each is drawn while those before it have not finished an epoch."""
    space, found = make_space(FINE), spread(score=lambda x: abs(x - 0.5))
    first = proposed(space, found)
    running = make_trial(space, 16, first, [], "RUNNING")
    second = proposed(space, [*found, running])
    assert abs(second["x"] - first["x"]) > 0.01
    # Another seed, or another trial that runs far from there, leaves it where it was.
    assert abs(proposed(space, found, seed=1)["x"] - first["x"]) < 0.01
    far = make_trial(space, 16, {"x": 0.99}, [], "RUNNING")
    assert proposed(space, [*found, far])["x"] == first["x"]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_looks_around_the_best_five(monkeypatch, direction):
    looked_around = []

    def spy(space, good, rng):
        looked_around.extend(point["x"] for point in good)
        return original(space, good, rng)

    original = gp.candidates
    monkeypatch.setattr(gp, "candidates", spy)
    found = spread(score=lambda x: abs(x - 0.6))
    proposed(make_space(FINE), found, direction=direction)
    order = sorted((trial.params["x"] for trial in found), key=lambda x: abs(x - 0.6), reverse=direction == "maximize")
    assert looked_around == order[:5]


def test_a_whole_small_space_is_looked_at():
    """The best of the points left, and no point beside it: the trend is plain."""
    space = make_space(SMALL, Int("y", 0, 20))
    found = [
        make_trial(space, number, point, [float(point["x"] + point["y"])])
        for number, point in enumerate(points(space.parameters, {}))
        if point["x"] + point["y"] > 2
    ]
    keys = {point_key(space, trial.params) for trial in found}
    drawn = told(space, found)
    assert point_key(space, drawn) not in keys
    assert drawn["x"] + drawn["y"] <= 2


HEADS = Categorical("emotion/head/hidden", (16, 1024))


def heads(hidden, gain=0.0):
    """Draws after 16 trials of either head whose loss is least at x = 0.5; the large one is better by `gain`."""
    settings = SweepSettings("emotion", "val_loss", "min", max_epochs=EPOCHS)
    space, found = SearchSpace(None, "", settings, (FINE, HEADS), {}), []
    for number, x in enumerate(np.linspace(0, 1, 32)):
        point = {"x": float(x), "emotion/head/hidden": HEADS.choices[number % 2]}
        score = abs(x - 0.5) - gain * (number % 2)
        found.append(make_trial(space, number, point, [float(score)]))
    return sum(proposed(space, found, seed)["emotion/head/hidden"] == hidden for seed in range(10))


def test_of_what_promises_the_same_it_takes_what_costs_less(monkeypatch):
    assert heads(16) == 10
    monkeypatch.setattr(gp, "_THRIFT", 0.0)
    assert heads(16) < 10


def test_what_is_better_is_taken_whatever_it_costs():
    assert heads(1024, gain=0.5) == 10


def test_optuna_learns_of_no_parameter_beforehand():
    assert GpSampler(0, SPACE).infer_relative_search_space(optuna.create_study(), None) == {}


def test_an_epoch_that_diverged_promises_nobody_a_recovery():
    losses = [[1e6, 1.0, 0.9], [1.2, 1.0, 0.9], *([1.3 + number / 100] for number in range(8))]
    trials = [make_trial(SPACE, number, {}, scores) for number, scores in enumerate(losses)]
    values = GpSampler(0, SPACE)._values(trials, optuna.study.StudyDirection.MINIMIZE)
    assert values.max() < -0.8, "as the other trial that went on grew: by 0.3, not by half a million"
