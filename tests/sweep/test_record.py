"""trials.csv, epochs.csv and the study agree after every event, whatever happens to the trials."""

import csv
import math
import tempfile
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ecgtune.sweep.block import EpochReport
from ecgtune.sweep.opening import open_sweep
from tests.sweep.conftest import Listener, make_plan

TOLD = {"COMPLETE": "COMPLETE", "PRUNED": "PRUNED", "FAIL": "FAILED", "RUNNING": "RUNNING"}
ENDS = ("complete", "stopped", "collapsed", "nan", "error", "lost", "pauses", "runs on")
EPOCHS = 6
scores = st.lists(st.floats(-5, 5), min_size=0, max_size=EPOCHS - 1)
lives = st.lists(st.tuples(scores, st.sampled_from(ENDS)), min_size=1, max_size=6)


def report(epochs, failure="", message=""):
    made = [EpochReport(e, 1e-3, {"val_loss": s, "train_loss": s}, 0.1, 1.0, [[1, 0], [0, 1]]) for e, s in epochs]
    return {"epochs": made, "epoch": 0, "failure": failure, "message": message, "warning": ""}


def require_agreement(folder):
    """The study on disk, read by stock Optuna, and the tables, read as text."""
    storage = JournalStorage(JournalFileBackend(str(folder.study)))
    study = optuna.load_study(study_name=folder.name, storage=storage)
    with folder.trials_table.open() as file:
        rows = {row["trial_id"]: row for row in csv.DictReader(file)}
    epochs = {}
    if folder.epochs_table.exists():
        with folder.epochs_table.open() as file:
            for row in csv.DictReader(file):
                epochs.setdefault(row["trial_id"], {})[int(row["epoch"])] = float(row["val_loss"])
    assert set(rows) == {f"{trial.number:05d}" for trial in study.trials}
    for trial in study.trials:
        row, trial_id = rows[f"{trial.number:05d}"], f"{trial.number:05d}"
        assert row["state"] == TOLD[trial.state.name]
        assert row["reason"] == trial.user_attrs.get("reason", "")
        known = {epoch: score for epoch, score in epochs.get(trial_id, {}).items() if math.isfinite(score)}
        assert trial.intermediate_values == known
        assert all(str(value) == row[name] for name, value in trial.params.items())
        if row["state"] == "RUNNING":
            continue  # the row is as the trial was when any trial began or ended the last time
        assert int(row["epochs"]) == max(epochs.get(trial_id, {0: 0}))
        assert (float(row["val_loss"]) if known else row.get("val_loss", "")) == (min(known.values()) if known else "")
        if trial.state.name == "COMPLETE":
            assert trial.value == min(known.values())


def live(sweep, life):
    """One trial's life; gives whether it was told as an end that the first three trials might share."""
    trial_id, parameters = sweep.dispatcher.next()
    values, end = life
    if end == "complete":
        values = (values + [0.5] * EPOCHS)[:EPOCHS]
    record = sweep.record
    record.started(trial_id, parameters)
    yield
    numbered = list(enumerate(values, start=1))
    if end == "nan":
        numbered.append((len(values) + 1, math.nan))
    failure = end if end in ("nan", "collapsed", "error") else ""
    record.report(trial_id, report(numbered[:2]))
    yield
    record.report(trial_id, report(numbered[2:], failure, "for a reason" if failure else ""))
    if end == "stopped":
        record.will_end(trial_id, "asha")
    if end == "pauses":
        record.will_pause(trial_id)
    if end != "runs on":
        record.finished(trial_id, broken=("lost_node", "it died") if end == "lost" else None)
    yield


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(lives=lives)
def test_the_tables_and_the_study_agree_after_every_event(lives):
    # A first trial that does well: three failures at the start would end the sweep.
    lives = [([0.1], "complete"), *lives]
    with tempfile.TemporaryDirectory() as place:
        plan = make_plan(Path(place), num_samples=len(lives), max_epochs=EPOCHS)
        plan.folder.path.mkdir(parents=True)
        sweep = open_sweep(plan, Listener(), 1)
        for life in lives:
            for _ in live(sweep, life):
                require_agreement(plan.folder)
        sweep.record.close()
        require_agreement(plan.folder)
        again = open_sweep(plan, Listener(), 1)
        again.record.close()


def test_rows_are_on_the_disk_before_the_study_knows_of_them(tmp_path, monkeypatch):
    plan = make_plan(tmp_path, num_samples=1, max_epochs=EPOCHS)
    plan.folder.path.mkdir(parents=True)
    sweep = open_sweep(plan, Listener(), 1)
    trial_id, parameters = sweep.dispatcher.next()
    sweep.record.started(trial_id, parameters)
    happened = []
    monkeypatch.setattr(sweep.record._epochs, "sync", lambda: happened.append("disk"))
    monkeypatch.setattr(sweep.record._study, "report", lambda *_: happened.append("study"))
    sweep.record.report(trial_id, report([(1, 0.5)]))
    sweep.record.close()
    assert happened == ["disk", "study"]


def test_an_epoch_that_is_told_late_counts_with_the_time_that_it_took(tmp_path):
    """As after a resume: a worker tells at once what it had trained before the driver died."""
    plan = make_plan(tmp_path, num_samples=1)
    plan.folder.path.mkdir(parents=True)
    sweep = open_sweep(plan, Listener(), 1)
    trial_id, parameters = sweep.dispatcher.next()
    sweep.record.started(trial_id, parameters)
    told = EpochReport(1, 1e-3, {"val_loss": 1.0, "train_loss": 1.0}, 500.0, 1.0, [[1, 0], [0, 1]])
    sweep.record.report(trial_id, {**report([]), "epochs": [told]})
    sweep.record.finished(trial_id)
    sweep.record.close()
    with plan.folder.trials_table.open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["seconds"]) >= 500.0
