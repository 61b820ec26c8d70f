"""When epochs are reported, what is on disk by then, and that a sweep does not depend on it."""

import csv
import json
import math

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ecgtune.sweep import drive, trainable
from ecgtune.sweep.block import Block
from ecgtune.sweep.journal import BlockJournal
from ecgtune.sweep.runner import run_sweep
from ecgtune.training.result import EpochResult, Snapshot
from ecgtune.training.state import newest_state
from tests.sweep.conftest import Listener
from tests.sweep.curves import BUG, COLLAPSES, FULL, HEALTHY, MEMORY, NAN, TIGHT, CurveJob


def result(epoch, seconds):
    return EpochResult(epoch, 1e-3, {"val_loss": 1.0}, seconds, 1.0, np.eye(2), lambda: Snapshot({}, {}, {}))


@pytest.mark.parametrize(
    ("took", "milestones", "expected"),
    [
        ([1.0, 1.0, 1.0], [3], [1, 2, 3]),
        ([0.6, 0.6, 0.6], [3], [1, 2, 3]),
        ([0.3] * 10, [10], [3, 6, 9, 10]),
        ([0.02] * 60, [10, 30, 60], [10, 30, 60]),
        ([0.125] * 20, [20], [7, 14, 20]),
        # No more is waited for than what fits, even if the epochs grow longer.
        ([0.1, 0.1, 0.8, 0.1], [4], [3, 4]),
    ],
)
def test_epochs_wait_for_a_second_or_a_milestone(took, milestones, expected):
    now = [0.0]
    block, reported = Block(milestones, 1.0, lambda: now[0]), []
    for epoch, seconds in enumerate(took, start=1):
        now[0] += seconds
        block.add(result(epoch, seconds))
        if block.due:
            reported.append([report.epoch for report in block.take()])
    assert [epochs[-1] for epochs in reported] == expected
    assert [epoch for epochs in reported for epoch in epochs] == list(range(1, len(took) + 1))


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """Run a trial without Ray; gives each report with the epoch of the model that was on disk by then."""
    seen = []

    def report(content):
        card = tmp_path / "sweep" / "trials" / "00000" / "best" / "model.json"
        seen.append((content, json.loads(card.read_text())["epoch"] if card.exists() else 0))

    monkeypatch.setattr(trainable.tune, "report", report)

    def run(job, habit=HEALTHY, **given):
        parameters = {"pretext/adam/lr": 1e-3, "pretext/batch_size": habit}
        settings = {"metric": "val_loss", "mode": "min", "threads": 1, "device": "cpu", "milestones": (),
                    "may_pause": False,
                    "block_seconds": 60.0, "state_seconds": 60.0}  # fmt: skip
        config = {"trial_id": "00000", "parameters": json.dumps(parameters)}
        trainable.run_trial(config, job=job, sweep=str(tmp_path / "sweep"), **settings | given)
        return [([e.epoch for e in content["epochs"]], model, content["failure"]) for content, model in seen]

    return run


@pytest.mark.parametrize(
    ("habit", "milestones", "expected"),
    [
        (HEALTHY, (), [([1, 2, 3, 4, 5], 5, "")]),
        (HEALTHY, (1, 3), [([1], 1, ""), ([2, 3], 3, ""), ([4, 5], 5, "")]),
        (NAN, (), [([1, 2], 1, "nan")]),
        (BUG, (), [([1], 1, "error")]),
        (BUG, (1,), [([1], 1, ""), ([], 1, "error")]),
        # Memory runs out twice: the second time with half the micro-batch.
        (MEMORY, (), [([1], 1, ""), ([1], 1, "out_of_memory")]),
        (TIGHT, (), [([1], 1, ""), ([1, 2, 3, 4, 5], 5, "")]),
        # What a full disk kept from being saved is not reported: a worker repeats it.
        (FULL, (), [([], 1, "storage")]),
        (FULL, (1,), [([1], 1, ""), ([], 1, "storage")]),
    ],
)
def test_the_best_model_is_on_disk_when_its_epoch_is_reported(worker, habit, milestones, expected):
    assert worker(CurveJob(5), habit, milestones=milestones) == expected


def test_where_a_trial_may_be_paused_its_state_is_on_disk_before_the_report(worker, tmp_path, monkeypatch):
    states = []
    report = trainable.tune.report

    def look(content):
        state, _ = newest_state(tmp_path / "sweep" / "trials" / "00000" / "state.pt")
        states.append((content["epoch"], state and (state["training"]["epoch"], len(state["untold"]))))
        report(content)

    monkeypatch.setattr(trainable.tune, "report", look)
    worker(CurveJob(5), milestones=(2, 4), may_pause=True)
    assert states == [(2, (2, 2)), (4, (4, 2)), (5, (4, 2))]


def test_a_collapse_ends_a_trial_that_had_been_well(worker):
    """Four epochs were; the fifth and the sixth are not."""
    assert worker(CurveJob(9), COLLAPSES) == [([1, 2, 3, 4, 5, 6], 6, "collapsed")]


def test_of_a_block_the_best_epoch_is_kept_and_written_once(worker, monkeypatch):
    saved = []

    class Valley(CurveJob):
        def epochs(self, parameters, device, resume, *, halved=False):
            for each in super().epochs(parameters, device, resume):
                each.metrics["val_loss"] = abs(each.epoch - 3)
                yield each

        def save(self, folder, parameters, best, origin):
            saved.append((best.epoch, best.snapshot().resume["epoch"]))
            super().save(folder, parameters, best, origin)

    assert worker(Valley(5)) == [([1, 2, 3, 4, 5], 3, "")]
    assert saved == [(3, 3)]


def test_a_state_does_not_wait_for_a_report(worker, tmp_path):
    """Where many workers report, each does so rarely; what a lost worker loses does not grow with that."""

    class Dies(CurveJob):
        def epochs(self, *given, **more):
            for each in super().epochs(*given, **more):
                if each.epoch == 4:
                    raise KeyboardInterrupt
                yield each

    with pytest.raises(KeyboardInterrupt):
        worker(Dies(9), state_seconds=0.0)
    assert [epochs for epochs, _, _ in worker(CurveJob(9), state_seconds=0.0)] == [[1, 2, 3], [4, 5, 6, 7, 8, 9]]


@pytest.mark.parametrize(("workers", "seconds"), [(1, 2.5), (50, 2.5), (64, 3.2), (1000, 50.0)])
def test_the_more_workers_there_are_the_less_often_each_reports(workers, seconds):
    assert drive.block_seconds(workers) == pytest.approx(seconds)


def rows(path):
    with path.open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("scheduler", ["asha", "none"])
def test_a_sweep_is_the_same_in_blocks(curve_plan, monkeypatch, scheduler):
    outcomes = []
    for seconds in (0.0, 60.0):
        monkeypatch.setattr("ecgtune.sweep.drive.BLOCK_SECONDS", seconds)
        listener = Listener()
        plan = curve_plan(HEALTHY, NAN, BUG, name=f"every{seconds:g}", scheduler=scheduler, searcher="tpe",
                          num_samples=14, max_epochs=9, max_concurrent=1, grace_period=2)  # fmt: skip
        run_sweep(plan, listener)
        storage = JournalStorage(JournalFileBackend(str(plan.folder.study)))
        told = [
            (t.number, t.state.name, t.params, t.intermediate_values, t.values, t.user_attrs)
            for t in optuna.load_study(study_name=None, storage=storage).get_trials()
        ]
        tables = rows(plan.folder.trials_table), rows(plan.folder.epochs_table)
        best = json.loads((plan.folder.best / "model.json").read_text())
        outcomes.append((told, tables, (best["epoch"], best["sweep"]["trial"]), len(listener.named("epoch_finished"))))
    (every, whole) = outcomes
    assert every[:3] == whole[:3]
    states = {row["state"] for row in whole[1][0]}
    assert states == ({"COMPLETE", "PRUNED", "FAILED"} if scheduler == "asha" else {"COMPLETE", "FAILED"})
    epochs = len(every[1][1])
    assert every[3] == epochs > whole[3]


def journal_lines(path):
    # The worker's id and the times differ from study to study.
    volatile = ("worker_id", "datetime_start", "datetime_complete")
    return [{k: v for k, v in json.loads(line).items() if k not in volatile} for line in path.read_text().splitlines()]


def test_a_journal_written_in_blocks_is_what_optuna_would_have_written(tmp_path):
    waits = []
    for journal in (BlockJournal(tmp_path / "blocks.log"), JournalFileBackend(str(tmp_path / "stock.log"))):
        study = optuna.create_study(storage=JournalStorage(journal), study_name="s")
        trial = study.ask()

        def report(trial=trial):
            for epoch in range(1, 40):
                trial.report(1 / epoch, step=epoch)

        if isinstance(journal, BlockJournal):
            with journal.block():
                report()
                waits.append(len(journal_lines(tmp_path / "blocks.log")))
        else:
            report()
        study.tell(trial, 0.5)
    assert journal_lines(tmp_path / "blocks.log") == journal_lines(tmp_path / "stock.log")
    assert waits == [2]
    again = optuna.load_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(tmp_path / "blocks.log"))))
    assert len(again.trials[0].intermediate_values) == 39
    assert math.isclose(again.best_value, 0.5)


def test_a_block_that_breaks_off_keeps_what_was_logged(tmp_path):
    journal = BlockJournal(tmp_path / "study.log")
    study = optuna.create_study(storage=JournalStorage(journal), study_name="s")
    trial = study.ask()
    with pytest.raises(RuntimeError), journal.block():
        trial.report(1.0, step=1)
        raise RuntimeError
    trial.report(0.5, step=2)
    assert study.get_trials()[0].intermediate_values == {1: 1.0, 2: 0.5}


def test_a_torn_last_line_of_the_journal_is_cut_off(tmp_path):
    path = tmp_path / "study.log"
    study = optuna.create_study(storage=JournalStorage(BlockJournal(path)), study_name="s")
    study.ask().report(1.0, step=1)
    with path.open("ab") as file:
        file.write(b'{"op_code":7,"wor')
    again = optuna.load_study(study_name="s", storage=JournalStorage(BlockJournal(path)))
    again.ask().report(2.0, step=1)
    assert [t.intermediate_values for t in again.get_trials()] == [{1: 1.0}, {1: 2.0}]
