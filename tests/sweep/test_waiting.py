"""Whose states stay while they wait, and that a trial without one is trained to the same end."""

from dataclasses import replace
from typing import ClassVar

import pytest

from ecgtune.sweep import trainable, waiting
from ecgtune.sweep.block import EpochReport
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.opening import open_sweep
from ecgtune.sweep.waiting import STATES, WaitingTrials
from ecgtune.training.state import drop_state, save_state
from tests.sweep.conftest import Listener, make_plan
from tests.sweep.curves import CurveJob
from tests.sweep.killed import run


@pytest.fixture
def folder(tmp_path):
    return SweepFolder(tmp_path / "mine")


def pause(trials, folder, number, epoch, score):
    place = folder.trial(f"{number:05d}")
    place.mkdir(parents=True, exist_ok=True)
    (place / "state.pt").write_bytes(b"new")
    (place / "state.pt.before").write_bytes(b"old")
    trials.add(f"{number:05d}", epoch, score)


def with_state(folder):
    files = sorted(path for path in folder.path.rglob("state.pt*"))
    assert all(path.name == "state.pt" for path in files), "nobody needs the state before the newest"
    return [int(path.parent.name) for path in files]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_best_of_each_rung_keep_their_states(folder, mode):
    trials, sign = WaitingTrials(folder, mode), 1 if mode == "max" else -1
    for number in range(2 * STATES):
        pause(trials, folder, number, 2, sign * number)
    pause(trials, folder, 90, 8, sign * -100.0)
    assert with_state(folder) == [*range(STATES, 2 * STATES), 90]
    pause(trials, folder, 91, 2, sign * 100.0)
    assert with_state(folder) == [*range(STATES + 1, 2 * STATES), 90, 91]
    told = [line.split("\t")[1:] for line in folder.retention_log.read_text().splitlines()]
    why = f"state: trial 00000 is not among the {STATES} best at epoch 2"
    assert told[0] == ["trials/00000/state.pt", "3", why]
    assert len(told) == STATES + 1


def test_one_that_goes_on_leaves_its_place_and_keeps_its_state(folder):
    trials = WaitingTrials(folder, "max")
    for number in range(STATES):
        pause(trials, folder, number, 2, float(number))
    trials.remove(f"{STATES - 1:05d}")
    pause(trials, folder, 50, 2, 99.0)
    assert with_state(folder) == [*range(STATES), 50]


class Noted(CurveJob):
    """Notes at which epoch each worker took its trial up."""

    begun: ClassVar[list[int]]

    def epochs(self, parameters, device, resume, **more):
        self.begun.append(0 if resume is None else resume["epoch"])
        return super().epochs(parameters, device, resume, **more)


def swept(place, states, monkeypatch):
    """At which epochs trials were taken up, and the table of epochs, where so many states are kept per rung."""
    monkeypatch.setattr(waiting, "STATES", states)
    monkeypatch.setattr(Noted, "begun", [], raising=False)
    monkeypatch.setattr(trainable.tune, "report", None)
    plan = make_plan(place, scheduler="asha_promote", grace_period=2, num_samples=9, max_epochs=9, max_concurrent=1)
    run(replace(plan, job=Noted(9)))
    return Noted.begun, plan.folder.epochs_table.read_text()


def test_a_trial_without_its_state_begins_again_and_comes_to_the_same_end(tmp_path, monkeypatch):
    kept, expected = swept(tmp_path / "all", 9, monkeypatch)
    again, found = swept(tmp_path / "none", 0, monkeypatch)
    assert any(kept)
    assert len(again) == len(kept)
    assert not any(again)
    assert found == expected


def test_after_a_resume_a_trial_without_a_state_takes_no_others_place(tmp_path, monkeypatch):
    """The best two of four that wait had lost theirs: the states of the other two stay."""
    monkeypatch.setattr(waiting, "STATES", 2)
    plan = make_plan(tmp_path, scheduler="asha_promote", grace_period=2, num_samples=4, max_epochs=9)
    plan.folder.path.mkdir(parents=True)
    sweep = open_sweep(plan, Listener(), 1)
    for number in range(4):
        trial_id, parameters = sweep.dispatcher.next()
        sweep.record.started(trial_id, parameters)
        epochs = [EpochReport(e, 1e-3, {"val_loss": number + 1 / e}, 0.1, 1.0, [[1]]) for e in (1, 2)]
        content = {"training": {"epoch": 2}, "untold": [], "best": None, "collapse": {}}
        save_state(plan.folder.trial(trial_id) / "state.pt", content)
        sweep.record.report(trial_id, {"epochs": epochs, "failure": "", "message": "", "warning": ""})
        sweep.record.will_pause(trial_id)
        monkeypatch.setattr(waiting, "STATES", 4)
        sweep.record.finished(trial_id)
    monkeypatch.setattr(waiting, "STATES", 2)
    sweep.record.close()
    for number in (0, 1):
        drop_state(plan.folder.trial(f"{number:05d}") / "state.pt")
    open_sweep(plan, Listener(), 1).record.close()
    assert with_state(plan.folder) == [2, 3]


def test_a_trial_that_is_handed_out_keeps_its_state_until_its_worker_begins(tmp_path):
    plan = make_plan(tmp_path, scheduler="asha_promote", grace_period=2, num_samples=4, max_epochs=9)
    plan.folder.path.mkdir(parents=True)
    sweep, taken = open_sweep(plan, Listener(), 1), []
    sweep.record.taken_up = taken.append
    sweep.scheduler.wake = lambda *, idle: "00000"
    sweep.record.parameters = lambda trial_id: {}
    assert sweep.dispatcher.next() == ("00000", {})
    assert taken == ["00000"]
