import csv
import errno
import json
import math
import signal
import tempfile
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ecgtune.errors import EcgtuneError, InputError, StorageError
from ecgtune.sweep.plan import Resources
from ecgtune.sweep.runner import run_sweep
from ecgtune.sweep.tables import EpochsTable
from tests.sweep.curves import BUG, DIES, DIES_ONCE, FULL, HEALTHY, MEMORY, NAN, SLOW, CurveJob

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def stored(folder):
    study = optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(str(folder.study))))
    return study.get_trials()


def test_everything_agrees_after_a_sweep(curve_plan, listener):
    plan = curve_plan(num_samples=6)
    outcome = run_sweep(plan, listener)
    assert not outcome.interrupted
    table = rows(plan.folder.trials_table)
    assert [row["trial_id"] for row in table] == [f"{n:05d}" for n in range(6)]
    assert {row["state"] for row in table} == {"COMPLETE"}
    epochs = rows(plan.folder.epochs_table)
    assert len(epochs) == 6 * 4
    for row, trial in zip(table, stored(plan.folder), strict=True):
        lr = float(row["pretext/adam/lr"])
        assert trial.state.name == "COMPLETE"
        assert trial.params["pretext/adam/lr"] == lr
        assert trial.value == float(row["val_loss"]) == abs(math.log10(lr) + 3) + 1 / 4
        assert {int(e["epoch"]) for e in epochs if e["trial_id"] == row["trial_id"]} == {1, 2, 3, 4}
        assert trial.intermediate_values == {
            int(e["epoch"]): float(e["val_loss"]) for e in epochs if e["trial_id"] == row["trial_id"]
        }
        assert row["pretext/encoder/pool_stride"] == "8"
    best = min(table, key=lambda row: float(row["val_loss"]))
    assert outcome.winner == best["trial_id"]
    card = json.loads((plan.folder.best / "model.json").read_text())
    assert (card["epoch"], card["sweep"]) == (4, {"name": "curves", "trial": best["trial_id"]})
    assert len(listener.named("trial_started")) == len(listener.named("trial_finished")) == 6


def test_the_first_trial_is_the_default_configuration(curve_plan, listener):
    plan = curve_plan(HEALTHY, 128, num_samples=1, max_epochs=1)
    run_sweep(plan, listener)
    (row,) = rows(plan.folder.trials_table)
    assert (float(row["pretext/adam/lr"]), int(row["pretext/batch_size"])) == (1e-3, 128)


def test_asha_stops_are_told_as_pruned_with_every_value(curve_plan, listener):
    plan = curve_plan(scheduler="asha", num_samples=12, max_epochs=8, max_concurrent=1)
    run_sweep(plan, listener)
    table, trials = rows(plan.folder.trials_table), stored(plan.folder)
    pruned = [row for row in table if row["state"] == "PRUNED"]
    assert pruned
    assert {row["reason"] for row in pruned} == {"asha"}
    assert all(row["state"] == "COMPLETE" for row in table if row["epochs"] == "8")
    for row, trial in zip(table, trials, strict=True):
        assert trial.state.name == row["state"]
        assert len(trial.intermediate_values) == int(row["epochs"])


@pytest.mark.parametrize(("metric", "mode", "sign"), [("val_loss", "min", 1), ("val_accuracy", "max", -1)])
def test_asha_stops_the_worse_trials_whichever_way_is_better(curve_plan, listener, metric, mode, sign):
    plan = curve_plan(scheduler="asha", num_samples=8, max_epochs=4, max_concurrent=1, metric=metric, mode=mode)
    run_sweep(plan, listener)
    epochs = rows(plan.folder.epochs_table)
    rungs: dict[int, list[float]] = {1: [], 2: [], 4: []}
    # Successive halving, written again: at each rung a trial goes on if it is in the better half of those before it.
    for row in rows(plan.folder.trials_table):
        mine = {int(e["epoch"]): sign * float(e[metric]) for e in epochs if e["trial_id"] == row["trial_id"]}
        last = 4
        for rung, seen in rungs.items():
            stop = bool(seen) and mine[rung] > np.percentile(seen, 50)
            seen.append(mine[rung])
            if stop and rung < 4:
                last = rung
                break
        assert (int(row["epochs"]), row["state"]) == (last, "COMPLETE" if last == 4 else "PRUNED")


@pytest.mark.parametrize(("habit", "reason"), [(NAN, "nan"), (BUG, "error"), (MEMORY, "out_of_memory")])
def test_failures_have_names_and_leave_no_zombie(curve_plan, listener, habit, reason):
    plan = curve_plan(habit, num_samples=2)
    run_sweep(plan, listener)
    for row, trial in zip(rows(plan.folder.trials_table), stored(plan.folder), strict=True):
        assert (row["state"], row["reason"], row["best_epoch"]) == ("FAILED", reason, "1")
        assert (trial.state.name, trial.user_attrs["reason"]) == ("FAIL", reason)
        error = plan.folder.trial(row["trial_id"]) / "error.txt"
        assert error.exists() == (habit == BUG)
    notes = listener.named("note")
    assert habit == NAN or len(notes) == 2
    if habit == BUG:
        assert "RuntimeError: a bug (see" in notes[0]
        assert "with details" in error.read_text()


def test_asha_stops_a_trial_whose_score_is_nan(curve_plan, listener):
    plan = curve_plan(NAN, num_samples=1, scheduler="asha")
    run_sweep(plan, listener)
    (row,) = rows(plan.folder.trials_table)
    assert (row["state"], row["reason"], row["epochs"]) == ("FAILED", "nan", "2")


@pytest.mark.usefixtures("every_epoch")
def test_a_dead_worker_is_replaced_and_its_trial_finished(curve_plan, listener):
    plan = curve_plan(DIES_ONCE, num_samples=1, max_concurrent=1)
    run_sweep(plan, listener)
    (row,) = rows(plan.folder.trials_table)
    assert (row["state"], row["epochs"]) == ("COMPLETE", "4")
    assert [row["epoch"] for row in rows(plan.folder.epochs_table)] == ["1", "2", "3", "4"]


def test_a_worker_that_keeps_dying_costs_its_trial_and_nothing_else(curve_plan, listener, monkeypatch):
    monkeypatch.setattr("ecgtune.sweep.drive.BLOCK_SECONDS", 0.0)
    plan = curve_plan(DIES, num_samples=2, max_concurrent=1)
    outcome = run_sweep(plan, listener)
    assert [(trial.state, trial.reason, trial.epochs) for trial in outcome.trials] == [("FAILED", "lost_node", 2)] * 2
    assert any("its worker died 3 times" in note for note in listener.named("note"))
    # Each new worker began at epoch 1 again; the better epoch 2 that an earlier one had saved is kept.
    assert json.loads((plan.folder.best / "model.json").read_text())["epoch"] == 2


def test_a_signal_stops_in_good_order(curve_plan, listener):
    plan = curve_plan(SLOW, num_samples=50, max_epochs=20)
    listener.on("epoch_finished", 3, lambda: signal.raise_signal(signal.SIGINT))
    outcome = run_sweep(plan, listener)
    assert outcome.interrupted
    table = rows(plan.folder.trials_table)
    assert 0 < len(table) < 50
    assert {row["state"] for row in table} <= {"COMPLETE", "RUNNING"}
    assert (plan.folder.best / "model.json").is_file()
    assert listener.named("sweep_finished") == [{"interrupted": True}]


def test_an_existing_sweep_is_kept_unless_told(curve_plan, listener):
    plan = curve_plan(num_samples=1, max_epochs=1)
    run_sweep(plan, listener)
    before = plan.folder.trials_table.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        run_sweep(plan, listener)
    assert plan.folder.trials_table.read_bytes() == before
    run_sweep(curve_plan(num_samples=2, max_epochs=1), listener, overwrite=True)
    assert len(rows(plan.folder.trials_table)) == 2


def test_overwrite_does_not_touch_what_is_no_sweep(curve_plan, listener, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="is not a sweep"):
        run_sweep(curve_plan(folder=tmp_path / "precious"), listener, overwrite=True)
    assert (tmp_path / "precious" / "thesis.tex").exists()


def test_a_sweep_that_cannot_run_leaves_the_old_one_alone(curve_plan, listener):
    plan = curve_plan(num_samples=1, max_epochs=1)
    greedy = replace(plan, resources=Resources(cpus_per_trial=64))
    with pytest.raises(InputError, match="needs 64 CPUs"):
        run_sweep(greedy, listener)
    assert not plan.folder.path.exists()
    run_sweep(plan, listener)
    before = {path: path.read_bytes() for path in plan.folder.path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="needs 64 CPUs"):
        run_sweep(greedy, listener, overwrite=True)
    assert {path: path.read_bytes() for path in plan.folder.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("max_concurrent", "cpus"), [(1, 2), (2, 1)])
def test_trials_share_out_the_machine(curve_plan, listener, max_concurrent, cpus):
    plan = curve_plan(num_samples=2, max_epochs=1, max_concurrent=max_concurrent)
    run_sweep(plan, listener)
    assert plan.folder.read()["resources"]["cpus_per_trial"] == cpus
    assert plan.folder.read()["state"] == "finished"


def test_a_full_disk_in_a_worker_ends_the_sweep(curve_plan, listener):
    plan = curve_plan(FULL, num_samples=6)
    with pytest.raises(StorageError, match="no space left on device"):
        run_sweep(plan, listener)
    assert {row["state"] for row in rows(plan.folder.trials_table)} == {"RUNNING"}
    assert {trial.state.name for trial in stored(plan.folder)} == {"RUNNING"}


def test_a_full_disk_when_the_winner_is_copied_keeps_the_tables(curve_plan, listener, monkeypatch):
    plan = curve_plan(num_samples=2)

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ecgtune.sweep.promote.shutil.copyfile", full)
    with pytest.raises(StorageError, match="no space left on device.*free some space"):
        run_sweep(plan, listener)
    assert "COMPLETE" in {row["state"] for row in rows(plan.folder.trials_table)}
    assert not plan.folder.best.exists()
    assert not [path for path in plan.folder.path.iterdir() if path.name.startswith(".best")]


def test_a_full_disk_ends_the_sweep_with_one_message(curve_plan, listener, monkeypatch):
    plan = curve_plan(num_samples=6)
    add, calls = EpochsTable.add, []

    def full(self, *args):
        calls.append(args)
        if len(calls) > 2:
            raise StorageError("cannot write below x: no space left on device.")
        add(self, *args)

    monkeypatch.setattr(EpochsTable, "add", full)
    with pytest.raises(StorageError, match="no space left"):
        run_sweep(plan, listener)
    assert rows(plan.folder.trials_table)
    assert len(rows(plan.folder.epochs_table)) == 8


def test_what_went_wrong_first_is_told_and_the_scratch_folder_goes(curve_plan, listener, monkeypatch, tmp_path):
    def refuse(which):
        def refused(*_args, **_kwargs):
            raise StorageError(f"the {which} write was refused.")

        return refused

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("ecgtune.sweep.record.SweepRecord.report", refuse("first"))
    monkeypatch.setattr("ecgtune.sweep.record.SweepRecord.close", refuse("last"))
    with pytest.raises(StorageError, match="the first write was refused"):
        run_sweep(curve_plan(HEALTHY), listener)
    assert not list(tmp_path.glob("ecgtune-ray-*"))


def test_a_sweep_in_which_nothing_works_fails(curve_plan, listener, monkeypatch):
    def epochs(self, parameters, device, resume, *, halved=False):
        raise RuntimeError("no")
        yield

    monkeypatch.setattr(CurveJob, "epochs", epochs)
    with pytest.raises(EcgtuneError, match=r"no trial of curves finished an epoch \(error\)"):
        run_sweep(curve_plan(num_samples=2), listener)
