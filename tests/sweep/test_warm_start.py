"""Winners of earlier sweeps as first points, through sweeps on disk."""

from dataclasses import replace

import pytest

from ecgtune.errors import InputError
from ecgtune.space import Categorical, Float, Int
from ecgtune.sweep.first_points import first_points
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.plan import Resources, SweepPlan, definition
from ecgtune.sweep.points import FirstPoint, default_point
from ecgtune.sweep.study import SweepStudy
from ecgtune.sweep.warm_start import earlier_winners, winner_in
from tests.sweep.curves import CurveJob
from tests.sweep.test_proposals import CYCLES, FINITE, LR, TYPE, WARMUP, make_space


def warm_started(plan, results, names):
    winners, notes = earlier_winners(plan.space, results, names)
    return replace(plan, winners=winners, notes=notes)


def write_sweep(folder, space, scores, states=None):
    """A sweep whose trials have the given best scores."""
    folder.mkdir(parents=True)
    plan = SweepPlan(SweepFolder(folder), space, CurveJob(), Resources())
    plan.folder.write(definition(plan))
    study = SweepStudy(plan.folder.study, space, num_samples=len(scores), seed=1)
    drawn = []
    for score, state in zip(scores, states or ["COMPLETE"] * len(scores), strict=True):
        trial_id, values = study.ask()
        drawn.append(values)
        study.report(trial_id, {1: score + 1, 2: score, 3: score + 0.5})
        if state != "RUNNING":
            study.finish(trial_id, state, "", score)
    return drawn


@pytest.fixture
def plan(tmp_path):
    return SweepPlan(SweepFolder(tmp_path / "new"), make_space(LR, *FINITE), CurveJob(), Resources())


def test_the_three_best_are_taken_in_their_order(tmp_path, plan):
    drawn = write_sweep(tmp_path / "old", make_space(LR, CYCLES), [5, 2, 9, 1, 7, 3],
                        ["COMPLETE", "PRUNED", "COMPLETE", "FAILED", "RUNNING", "COMPLETE"])  # fmt: skip
    warm = warm_started(plan, tmp_path, ["old"])
    assert [point.origin for point in warm.winners] == ["old trial 00001", "old trial 00005", "old trial 00000"]
    # What the old sweep did not vary had its default.
    assert [dict(point.values) for point in warm.winners] == [
        {**drawn[number], TYPE.name: "none"} for number in (1, 5, 0)
    ]
    assert warm.notes == ("3 of the 3 best configurations of old are tried first.",)
    assert warm_started(plan, tmp_path, [str(tmp_path / "old")]).winners == warm.winners
    twice = warm_started(plan, tmp_path, ["old", "old"])
    assert len(twice.winners) == 6


def test_a_metric_of_which_more_is_better(tmp_path, plan):
    space = make_space(LR, CYCLES)
    accurate = replace(space, settings=replace(space.settings, metric="val_accuracy", mode="max"))
    write_sweep(tmp_path / "old", accurate, [5, 2, 9, 1])
    warm = warm_started(plan, tmp_path, ["old"])
    assert [point.origin[-1] for point in warm.winners] == ["2", "0", "1"]


def test_what_lies_outside_is_left_out_and_told(tmp_path, plan):
    drawn = write_sweep(tmp_path / "old", make_space(LR, Int(CYCLES.name, 1, 8)), [3, 2, 1])
    inside = [number for number in (2, 1, 0) if drawn[number][CYCLES.name] <= 3]
    assert 0 < len(inside) < 3
    warm = warm_started(plan, tmp_path, ["old"])
    assert [point.origin for point in warm.winners] == [f"old trial 0000{number}" for number in inside]
    assert f"{len(inside)} of the 3 best configurations of old are tried first; not trial 0000" in warm.notes[-1]
    assert f"({CYCLES.name} lies outside the space)" in warm.notes[-1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({LR.name: 1e-3}, {LR.name: 1e-3, CYCLES.name: 1, TYPE.name: "none"}),
        ({LR.name: 1.0}, LR.name),
        ({TYPE.name: "decay"}, TYPE.name),
        ({TYPE.name: "cosine_w_restarts", WARMUP.name: 4},
         {LR.name: 1e-3, CYCLES.name: 1, TYPE.name: "cosine_w_restarts", WARMUP.name: 4}),
        ({TYPE.name: "cosine_w_restarts", WARMUP.name: 5}, WARMUP.name),
        # Not in play, so it does not matter.
        ({TYPE.name: "none", WARMUP.name: 99}, {LR.name: 1e-3, CYCLES.name: 1, TYPE.name: "none"}),
        ({"pretext/batch_size": 64}, {LR.name: 1e-3, CYCLES.name: 1, TYPE.name: "none"}),
    ],
)  # fmt: skip
def test_a_configuration_as_a_point_of_another_space(values, expected):
    assert winner_in(make_space(LR, *FINITE), values) == expected


def test_a_default_outside_the_space_is_left_to_be_drawn():
    space = make_space(LR, Int(CYCLES.name, 4, 8), Categorical(TYPE.name, ("decay", "cosine_w_restarts")), WARMUP)
    assert winner_in(space, {LR.name: 0.01}) == {LR.name: 0.01}
    (winner,) = first_points(space, [FirstPoint("old", {LR.name: 0.01})])
    assert winner.values[LR.name] == 0.01
    assert 4 <= winner.values[CYCLES.name] <= 8
    assert (WARMUP.name in winner.values) == (winner.values[TYPE.name] == "cosine_w_restarts")


def test_the_default_comes_first_then_winners_and_nothing_twice(tmp_path):
    space = make_space(LR, *FINITE)
    default = default_point(space)
    new = {LR.name: 0.05, CYCLES.name: 2, TYPE.name: "none"}
    winners = [FirstPoint("a", default), FirstPoint("b", new), FirstPoint("c", new)]
    assert [point.origin for point in first_points(space, winners)] == ["default configuration", "b"]

    def ask_all(count):
        # Opened again for every trial, as after a kill.
        asked = []
        for _ in range(count):
            study = SweepStudy(tmp_path / "study.log", space, num_samples=count, seed=3, winners=winners)
            trial_id, values = study.ask()
            study.finish(trial_id, "COMPLETE", "", 1.0)
            asked.append(values)
        return asked

    asked = ask_all(4)
    assert asked[:2] == [default, new]
    assert asked[2] not in asked[:2]


@pytest.mark.parametrize("lost", [1, 2])
def test_a_kill_while_first_points_are_enqueued_loses_none(tmp_path, lost):
    space = make_space(LR, *FINITE)
    winners = [FirstPoint("b", {LR.name: 0.05, CYCLES.name: 2, TYPE.name: "none"})]
    journal = tmp_path / "study.log"
    SweepStudy(journal, space, num_samples=5, seed=3, winners=winners)
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-lost]))
    study = SweepStudy(journal, space, num_samples=5, seed=3, winners=winners)
    assert study.ask()[1] == default_point(space)
    assert study.ask()[1] == winners[0].values


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", r"--warm-start nothing: no sweep there. .* \(it has: .*good.*\)"),
        ("other", "--warm-start other: it is a emotion sweep, and this one is of the pretext stage"),
        ("unlucky", "--warm-start unlucky: none of its trials has ended well"),
        ("fresh", "--warm-start fresh: none of its trials has ended well"),
    ],
)
def test_what_cannot_be_taken_up(tmp_path, plan, name, said):
    write_sweep(tmp_path / "good", make_space(LR, CYCLES), [1])
    emotion = make_space(Float("emotion/adam/lr", 1e-4, 1e-1))
    emotion = replace(emotion, settings=replace(emotion.settings, stage="emotion"))
    write_sweep(tmp_path / "other", emotion, [1])
    write_sweep(tmp_path / "unlucky", make_space(LR, CYCLES), [1, 2], ["FAILED", "RUNNING"])
    write_sweep(tmp_path / "fresh", make_space(LR, CYCLES), [])
    (tmp_path / "fresh" / "study.log").unlink()
    with pytest.raises(InputError, match=said):
        warm_started(plan, tmp_path, ["good", name])


def test_winners_are_part_of_the_definition(tmp_path, plan):
    write_sweep(tmp_path / "old", make_space(LR, CYCLES), [2, 1])
    warm = warm_started(plan, tmp_path, ["old"])
    assert [each["origin"] for each in definition(warm)["winners"]] == ["old trial 00001", "old trial 00000"]
    assert "winners" not in definition(plan)
