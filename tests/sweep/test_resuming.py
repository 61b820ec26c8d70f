"""A sweep that ended early is taken up again; each test interrupts one in another way."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ecgtune.errors import InputError, StorageError
from ecgtune.sweep.resuming import read_epochs, require_same
from ecgtune.sweep.runner import run_sweep
from ecgtune.sweep.study import SweepStudy
from tests.sweep.conftest import Listener, make_plan
from tests.sweep.curves import HEALTHY, SLOW

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def table(path, *without):
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return sorted(tuple((k, v) for k, v in row.items() if k not in without) for row in rows)


def everything(folder):
    return table(folder.trials_table, "seconds"), table(folder.epochs_table, "seconds")


OPTIONS = {"scheduler": "asha", "searcher": "tpe", "num_samples": 6, "max_concurrent": 1, "max_epochs": 4}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, ray_cluster):
    plan = make_plan(tmp_path_factory.mktemp("whole"), **OPTIONS)
    run_sweep(plan, Listener())
    return everything(plan.folder)


@pytest.mark.parametrize(
    ("stop_after", "block_seconds", "state_seconds"),
    [(2, 0.0, 0.0), (9, 0.0, 0.0), (2, 60.0, 0.0), (7, 60.0, 0.0), (9, 0.0, 60.0)],
)
def test_an_interrupted_sweep_ends_as_if_it_had_not_been(
    uninterrupted, curve_plan, listener, monkeypatch, stop_after, block_seconds, state_seconds
):
    monkeypatch.setattr("ecgtune.sweep.drive.BLOCK_SECONDS", block_seconds)
    monkeypatch.setattr("ecgtune.sweep.drive.STATE_SECONDS", state_seconds)
    broken = curve_plan(**OPTIONS)
    listener.on("epoch_finished", stop_after, lambda: signal.raise_signal(signal.SIGINT))
    assert run_sweep(broken, listener).interrupted
    assert len(table(broken.folder.trials_table)) < OPTIONS["num_samples"]
    assert not run_sweep(broken, listener, resume=True).interrupted
    assert everything(broken.folder) == uninterrupted


def test_a_stop_that_the_study_was_not_told_of_is_decided_again(uninterrupted, curve_plan, listener, monkeypatch):
    """As if the driver had been killed between a trial's last score and its end."""
    finish = SweepStudy.finish

    def killed(self, trial_id, state, *rest):
        if state == "PRUNED":
            raise RuntimeError("killed")
        finish(self, trial_id, state, *rest)

    broken = curve_plan(**OPTIONS)
    with monkeypatch.context() as patch:
        patch.setattr(SweepStudy, "finish", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run_sweep(broken, listener)
    run_sweep(broken, listener, resume=True)
    assert everything(broken.folder) == uninterrupted


@pytest.mark.usefixtures("ray_cluster")
def test_a_finished_sweep_can_be_extended(curve_plan, listener):
    plan = replace(curve_plan(num_samples=2, max_concurrent=1), command="as it was begun")
    run_sweep(plan, listener)
    before = everything(plan.folder)
    wider = replace(plan.space, settings=replace(plan.space.settings, num_samples=4))
    more = replace(plan, space=wider, command="as it was extended")
    listener.events.clear()
    outcome = run_sweep(more, listener, resume=True)
    assert len(outcome.trials) == 4
    assert len(listener.named("trial_started")) == 2
    after = everything(plan.folder)
    assert set(before[0]) <= set(after[0])
    assert set(before[1]) <= set(after[1])
    content = plan.folder.read()
    assert (content["command"], content["resumed"]) == ("as it was begun", ["as it was extended"])


@pytest.mark.usefixtures("ray_cluster")
def test_a_sweep_that_has_changed_is_refused_with_the_difference(curve_plan, listener):
    plan = curve_plan(num_samples=1, max_epochs=1)
    run_sweep(plan, listener)
    before = everything(plan.folder)
    changed = curve_plan(HEALTHY, SLOW, num_samples=1, max_epochs=1, seed=7)
    with pytest.raises(InputError, match="has changed. Choose another --name") as error:
        require_same(plan.folder, changed)
    assert "sweep: seed: 0 then, 7 now" in str(error.value)
    assert "parameters: pretext/batch_size" in str(error.value)
    assert everything(plan.folder) == before


@pytest.mark.parametrize(("how", "code"), [("INT", 130), ("TERM", 130), ("KILL", -9), ("WORKER", 0), ("RAYLET", 1)])
def test_a_sweep_that_was_struck_ends_as_if_it_had_not_been(uninterrupted, curve_plan, listener, tmp_path, how, code):
    """Ctrl-C, SIGTERM and SIGKILL for its driver; SIGKILL for a worker, and for Ray's node."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.sweep.disaster", str(tmp_path), how]
    done = subprocess.run(
        command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr[-2000:]
    plan = curve_plan(**OPTIONS)
    if how == "RAYLET":
        assert "Ray's node process on this machine died" in done.stderr
        assert "--resume" in done.stderr
    if code:
        assert len(table(plan.folder.trials_table)) < OPTIONS["num_samples"]
        assert not run_sweep(plan, listener, resume=True).interrupted
    assert everything(plan.folder) == uninterrupted


def test_a_full_disk_that_is_freed_again_costs_nothing(uninterrupted, curve_plan, listener, monkeypatch):
    """The disk refuses the tables, the states and the models, one after the other, until it is freed."""
    monkeypatch.setattr("ecgtune.sweep.drive.BLOCK_SECONDS", 0.0)
    plan = curve_plan(**OPTIONS)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    # What every file that is written whole passes through, what promotes a model, and what the study hears.
    targets = ["ecgtune.files.os.fsync", "ecgtune.sweep.promote.shutil.copyfile", "optuna.Trial.report"]
    for count, target in enumerate(targets, start=2):
        with monkeypatch.context() as patch:
            heard = Listener()
            heard.on("epoch_finished", count, partial(patch.setattr, target, full))
            with pytest.raises(StorageError, match="no space left"):
                run_sweep(plan, heard, resume=plan.folder.definition.exists())
    assert not run_sweep(plan, listener, resume=True).interrupted
    assert everything(plan.folder) == uninterrupted


KILLED = """
import sys
from pathlib import Path
from tests.sweep import conftest, curves
from ecgtune.sweep.engine import RaySession
from ecgtune.sweep.runner import run_sweep
from ecgtune.sweep.study import SweepStudy

plan = conftest.make_plan(Path(sys.argv[1]), curves.SLOW, num_samples=5, max_concurrent=1)
with RaySession(None, 1):
    from ray import cloudpickle
    cloudpickle.register_pickle_by_value(curves)
    run_sweep(plan, conftest.Listener())
"""


@pytest.mark.usefixtures("ray_cluster")
def test_a_driver_killed_outright_loses_nothing_finished(curve_plan, listener, tmp_path):
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    driver = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], env=env, cwd=root)
    plan = curve_plan(SLOW, num_samples=5, max_concurrent=1)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        time.sleep(0.05)
        if len(read_epochs(plan.folder.epochs_table)) >= 6:
            break
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    finished = [row for row in table(plan.folder.trials_table) if ("state", "COMPLETE") in row]
    assert finished
    outcome = run_sweep(plan, listener, resume=True)
    assert len(outcome.trials) == 5
    rows = table(plan.folder.trials_table)
    assert all(("state", "COMPLETE") in row for row in rows)
    assert {dict(row)["trial_id"] for row in rows} == {f"{n:05d}" for n in range(5)}
    started = {args[0].trial_id for event, args, _ in listener.events if event == "trial_started"}
    assert not started & {dict(row)["trial_id"] for row in finished}
    assert list(Counter(row["trial_id"] for row in read_epochs(plan.folder.epochs_table)).values()) == [4] * 5


def test_a_torn_last_line_is_left_out(tmp_path):
    path = tmp_path / "epochs.csv"
    path.write_text("trial_id,epoch,lr,val_loss,seconds\n00000,1,0.1,0.5,1.0\n00000,2,0.1,0.")
    assert [row["epoch"] for row in read_epochs(path)] == ["1"]
