import json
import math
from dataclasses import replace

import pytest

from ecgtune.config import PretextConfig, parameters
from ecgtune.space import Categorical, Float, Int, find_space, read_space
from ecgtune.sweep.points import default_point
from ecgtune.sweep.sampling import SEARCHERS
from ecgtune.sweep.study import SweepStudy

LR = Float("pretext/adam/lr", 1e-5, 1e-1, log=True)
TYPE = Categorical("pretext/scheduler/type", ("none", "cosine_w_restarts"))
WARMUP = Int("pretext/scheduler/warmup", 0, 14, when={"pretext/scheduler/type": ("cosine_w_restarts",)})


@pytest.fixture
def space():
    shipped = read_space(find_space("pretext", "pretext"))
    settings = replace(shipped.settings, metric="val_loss", mode="min")
    return replace(shipped, settings=settings, parameters=(LR, TYPE, WARMUP), fixed={"pretext/encoder/pool_stride": 8})


def test_the_default_point(space):
    assert default_point(space) == {"pretext/adam/lr": 1e-3, "pretext/scheduler/type": "none"}


@pytest.mark.parametrize(
    "outside",
    [
        Float("pretext/adam/lr", 1e-2, 1e-1),
        Float("pretext/adam/lr", 0.0, 1.0, step=0.3),
        Int("pretext/batch_size", 1, 127),
        Int("pretext/batch_size", 1, 999, step=3),
        Categorical("pretext/batch_size", (8, 16)),
    ],
)
def test_no_default_point_where_the_space_leaves_it_out(space, outside):
    assert default_point(replace(space, parameters=(outside,))) is None


@pytest.mark.parametrize("stage", ["pretext", "emotion"])
def test_the_default_configuration_lies_in_the_recommended_space(stage):
    assert default_point(read_space(find_space(stage, stage))) is not None


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_conditions_hold_in_every_draw_and_a_seed_repeats(space, tmp_path, searcher):
    space = replace(space, settings=replace(space.settings, searcher=searcher))

    def draw(name):
        study = SweepStudy(tmp_path / name, space, num_samples=25, seed=3)
        drawn = []
        while (asked := study.ask()) is not None:
            trial_id, values = asked
            drawn.append(values)
            study.report(trial_id, {1: abs(math.log10(values["pretext/adam/lr"]) + 3)})
            study.finish(trial_id, "COMPLETE", "", abs(math.log10(values["pretext/adam/lr"]) + 3))
        return drawn

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = draw("a/study.log"), draw("b/study.log")
    assert first == second
    assert len(first) == 25
    assert {values["pretext/scheduler/type"] for values in first} == set(TYPE.choices)
    for values in first:
        assert ("pretext/scheduler/warmup" in values) == (values["pretext/scheduler/type"] == "cosine_w_restarts")
        assert values["pretext/encoder/pool_stride"] == 8
        assert set(values) <= set(parameters(PretextConfig()))


@pytest.mark.slow
def test_tpe_beats_random_on_an_easy_bowl(space, tmp_path):
    def best(searcher, seed):
        chosen = replace(space, parameters=(LR,), settings=replace(space.settings, searcher=searcher))
        study = SweepStudy(tmp_path / f"{searcher}{seed}.log", chosen, num_samples=40, seed=seed)
        study.ask()  # the default configuration, which is the bottom of this bowl
        scores = []
        while (asked := study.ask()) is not None:
            score = (math.log10(asked[1]["pretext/adam/lr"]) + 1.5) ** 2
            study.finish(asked[0], "COMPLETE", "", score)
            scores.append(score)
        return sum(sorted(scores)[:5])

    wins = sum(best("tpe", seed) < best("random", seed) for seed in range(7))
    assert wins >= 5


def test_what_is_not_finite_is_not_reported(space, tmp_path):
    study = SweepStudy(tmp_path / "study.log", space, num_samples=1, seed=0)
    trial_id, _ = study.ask()
    study.report(trial_id, {1: math.nan, 2: 0.5})
    study.finish(trial_id, "FAILED", "nan", None)
    (trial,) = study._study.get_trials()
    assert trial.intermediate_values == {2: 0.5}
    assert (trial.state.name, trial.user_attrs["reason"]) == ("FAIL", "nan")


def test_the_lock_of_a_driver_that_was_killed_holds_nobody_up(space, tmp_path):
    journal = tmp_path / "study.log"
    SweepStudy(journal, space, num_samples=2, seed=0).ask()
    lock = tmp_path / "study.log.lock"
    lock.symlink_to(journal)
    SweepStudy(journal, space, num_samples=2, seed=0)
    assert not lock.is_symlink()


def test_a_torn_last_line_of_the_journal_costs_that_line_only(space, tmp_path):
    """What follows a line without an end would be unreadable to whoever opens the study."""
    journal = tmp_path / "study.log"
    SweepStudy(journal, space, num_samples=3, seed=0).ask()
    with journal.open("a") as file:
        file.write('{"op_code": 5, "worker_id": "x", "tri')
    again = SweepStudy(journal, space, num_samples=3, seed=0)
    assert again.ask()[0] == "00000"
    assert again.ask()[0] == "00001"
    assert all(json.loads(line) for line in journal.read_text().splitlines())
    assert [trial.trial_id for trial in SweepStudy(journal, space, num_samples=3, seed=0).stored()] == [
        "00000",
        "00001",
    ]


def test_an_epoch_that_is_repeated_with_another_score_replaces_it(space, tmp_path):
    """On a GPU a repeated epoch may differ; the table has the new one, and so has the study."""
    journal = tmp_path / "study.log"
    first = SweepStudy(journal, space, num_samples=1, seed=0)
    trial_id, _ = first.ask()
    first.report(trial_id, {1: 0.5, 2: 0.4})
    again = SweepStudy(journal, space, num_samples=1, seed=0)
    assert again.ask()[0] == trial_id
    again.report(trial_id, {2: 0.41, 3: 0.3})
    assert again.stored()[0].scores == {1: 0.5, 2: 0.41, 3: 0.3}
