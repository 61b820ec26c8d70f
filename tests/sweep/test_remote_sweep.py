"""A sweep whose results lie at a URI."""

import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecgtune.errors import EcgtuneError, InputError
from ecgtune.remote import Remote
from ecgtune.sweep import uploader
from ecgtune.sweep.overview import overview
from ecgtune.sweep.promote import promoted
from ecgtune.sweep.remote_lock import RemoteLock
from ecgtune.sweep.remote_results import mirror_folder, refreshed
from ecgtune.sweep.runner import run_sweep
from ecgtune.sweep.trial_store import RemoteTrials
from tests.sweep.conftest import make_plan
from tests.sweep.curves import DIES_ONCE, HEALTHY, SLOW

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Be on another machine: one with a cache of its own."""

    def be(name):
        monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / name))

    be("first")
    return be


def plan_at(bucket, *habits, **settings):
    return make_plan(Path(), *habits, folder=mirror_folder(bucket.uri()) / "curves", **settings)


def rows(bucket, table):
    if f"results/curves/{table}.csv" not in bucket.names():
        return []
    return list(csv.DictReader(io.StringIO(bucket.read(f"results/curves/{table}.csv").decode())))


def test_all_that_a_sweep_leaves_is_at_the_uri(bucket, machine, listener):
    plan = plan_at(bucket, num_samples=5, scheduler="asha", max_epochs=6)
    outcome = run_sweep(plan, listener)
    names = bucket.names("results/curves/")
    for part in ("sweep.toml", "study.log", "trials.csv", "epochs.csv", "best/model.json", "tensorboard/sweep/"):
        assert any(name.startswith(f"results/curves/{part}") for name in names), part
    assert not [name for name in names if "/." in name or "state" in name], "nothing torn, no state of what has ended"
    assert b'state = "finished"' in bucket.read("results/curves/sweep.toml")
    assert json.loads(bucket.read("results/curves/best/model.json"))["sweep"]["trial"] == outcome.winner
    for name in ("trials.csv", "epochs.csv", "study.log"):
        assert bucket.read(f"results/curves/{name}") == (plan.folder.path / name).read_bytes()
    assert not bucket.names("results/.curves.lock"), "the driver is gone"
    machine("second")
    results = mirror_folder(bucket.uri())
    refreshed(results)
    found = overview(type(plan.folder)(results / "curves"))
    assert (found.state, found.n_ended) == ("finished", 5)


def test_a_trial_goes_on_from_its_state_on_a_node_that_has_nothing_else(bucket, machine, every_epoch, listener):
    """A worker's scratch folder goes with it, as with its node."""
    plan = plan_at(bucket, DIES_ONCE, num_samples=1, max_epochs=4, max_concurrent=1)
    run_sweep(plan, listener)
    (row,) = rows(bucket, "trials")
    assert (row["state"], row["epochs"]) == ("COMPLETE", "4"), "begun anew, it would have died again and again"
    assert [each["epoch"] for each in rows(bucket, "epochs")] == ["1", "2", "3", "4"]
    assert promoted(plan.folder) == ("00000", 4)


KILLED = """
import dataclasses
import sys
import time
from pathlib import Path
from ray import cloudpickle
from ecgtune.sweep import drive, mirror, uploader
from ecgtune.sweep.runner import run_sweep
from ecgtune.sweep.remote_results import mirror_folder
from tests.sweep import conftest, curves
cloudpickle.register_pickle_by_value(curves)
drive.BLOCK_SECONDS = drive.STATE_SECONDS = 0.0
uploader.INTERVAL = 0.3
# Only the first trial to get there goes beyond epoch 4; the sweep cannot end before it is killed.
class Held(curves.CurveJob):
    def epochs(self, *args, **kwargs):
        for result in super().epochs(*args, **kwargs):
            yield result
            try:
                result.epoch == 4 and Path(sys.argv[2]).mkdir()
            except FileExistsError:
                time.sleep(600)
plan = conftest.make_plan(Path(), curves.SLOW, folder=mirror_folder(sys.argv[1]) / "curves", num_samples=4,
                          max_epochs=8, max_concurrent=2)
plan = dataclasses.replace(plan, job=Held(8))
# Uploads end once a trial has ended and another is known to be in its midst: what follows, only workers keep.
push, over = mirror.SweepMirror.push, []
def once(self):
    if not over:
        seen = in_the_midst(*((self.folder / name).read_text() for name in ("trials.csv", "epochs.csv")))
        push(self)
        over.extend([1] * seen)
def in_the_midst(trials, epochs):
    runs = [row[:5] for row in trials.splitlines() if ",RUNNING," in row]
    return ",COMPLETE," in trials and any(row[:5] in runs for row in epochs.splitlines())
mirror.SweepMirror.push = once
run_sweep(plan, conftest.Listener())
"""


def in_the_midst(bucket):
    """Whether a trial has ended, and of another one that runs some epochs are known."""
    states = {row["trial_id"]: row["state"] for row in rows(bucket, "trials")}
    return "COMPLETE" in states.values() and any(
        states.get(row["trial_id"]) == "RUNNING" for row in rows(bucket, "epochs")
    )


def test_what_an_unknown_trial_left_is_not_taken_for_that_of_its_number(bucket, machine):
    trials = RemoteTrials(bucket.uri(), "s")
    folder = trials.take_up("00002", '{"lr": 1}')
    (folder / "best").mkdir()
    for name in ("state.pt", "best/model.json", "memory.txt", "state.pt.before", ".torn"):
        (folder / name).write_text("of the first")
    trials.keep("00002")
    again = RemoteTrials(bucket.uri(), "s").take_up("00002", '{"lr": 1}')
    assert {path.name for path in again.iterdir()} == {"state.pt", "best", "memory.txt", "parameters.json"}
    other = RemoteTrials(bucket.uri(), "s").take_up("00002", '{"lr": 2}')
    assert list(other.iterdir()) == []
    assert bucket.names("results/s") == ["results/s/trials/00002/parameters.json"]


def test_killed_and_resumed_on_another_machine(bucket, machine, every_epoch, listener, tmp_path):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", KILLED, bucket.uri(), str(tmp_path / "gone on")]
    driver = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    try:
        until = time.monotonic() + 180
        while not in_the_midst(bucket):
            assert time.monotonic() < until
            assert driver.poll() is None
            time.sleep(0.1)
        time.sleep(1.0)
    finally:
        os.killpg(driver.pid, 9)
        driver.wait()
    ended = {row["trial_id"] for row in rows(bucket, "trials") if row["state"] == "COMPLETE"}
    machine("second")
    assert not (tmp_path / "second").exists()
    plan = plan_at(bucket, SLOW, num_samples=4, max_epochs=8)
    refreshed(plan.folder.path.parent, ["curves"])
    begun = []
    listener.trial_started = lambda trial: begun.append((trial.trial_id, trial.epoch))
    run_sweep(plan, listener, resume=True)
    assert not ended & {trial_id for trial_id, _ in begun}, "what has ended does not run again"
    epochs = [(row["trial_id"], row["epoch"]) for row in rows(bucket, "epochs")]
    assert sorted(epochs) == sorted({(f"{t:05d}", str(e)) for t in range(4) for e in range(1, 9)})
    assert {row["state"] for row in rows(bucket, "trials")} == {"COMPLETE"}


def test_models_beyond_the_best_go_there_too(bucket, machine, listener, monkeypatch):
    plan = plan_at(bucket, HEALTHY, num_samples=5, max_epochs=1, max_concurrent=1)
    save = type(plan.job).save

    def with_weights(self, folder, parameters, result, origin):
        save(self, folder, parameters, result, origin)
        (folder / "encoder.safetensors").write_bytes(b"weights")

    monkeypatch.setattr(type(plan.job), "save", with_weights)
    outcome = run_sweep(plan, listener)
    left = {name.split("/")[3] for name in bucket.names("results/curves/trials") if name.endswith(".safetensors")}
    scores = {row["trial_id"]: float(row["val_loss"]) for row in rows(bucket, "trials")}
    best = sorted(scores, key=scores.get)[:3]
    assert left == set(best)
    assert outcome.winner in left
    gone = set(scores) - left
    for trial_id in gone:
        assert b"its weights were removed" in bucket.read(f"results/curves/trials/{trial_id}/best/weights-removed.txt")
        assert bucket.read(f"results/curves/trials/{trial_id}/best/model.json")
    assert bucket.read("results/curves/retention.log").count(b"\n") == len(gone) == 2
    assert bucket.read("results/curves/best/encoder.safetensors") == b"weights"


def test_an_overwritten_sweep_leaves_nothing_and_one_that_is_taken_over_stops(bucket, machine, listener, monkeypatch):
    bucket.write("results/curves/sweep.toml", b'created = "then"')
    bucket.write("results/curves/trials/00099/best/model.json", b"old")
    plan = plan_at(bucket, SLOW, num_samples=20, max_epochs=4)
    refreshed(plan.folder.path.parent, ["curves"])
    with pytest.raises(InputError, match="exists already"):
        run_sweep(plan, listener)
    monkeypatch.setattr(uploader, "INTERVAL", 0.1)
    other = RemoteLock(Remote(bucket.uri()), "curves")
    # More than once, as a driver does: what it writes between this one's look and its own beat is written over.
    for count in (2, 4, 6, 8):
        listener.on("trial_finished", count, other._write)
    with pytest.raises(EcgtuneError, match="curves was taken over by process"):
        run_sweep(plan, listener, overwrite=True)
    assert len(listener.named("trial_finished")) < 15
    assert not [name for name in bucket.names() if "00099" in name]
    assert other.owner() is not None, "the lock is the other's"


@pytest.mark.parametrize("name", ["trials/mine.npy", ".hidden", "notes.txt"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_sweep_is_not_replaced(bucket, machine, listener, name, overwrite):
    bucket.write(f"results/curves/{name}", b"x")
    with pytest.raises(InputError, match="there is no sweep|is not a sweep|exists already"):
        run_sweep(plan_at(bucket), listener, overwrite=overwrite)
    assert bucket.names() == [f"results/curves/{name}"]


def test_a_second_driver_elsewhere_is_refused(bucket, machine, listener):
    lock = RemoteLock(Remote(bucket.uri()), "curves")
    lock.take()
    with pytest.raises(InputError, match=r"s3://bucket-\w+/results/curves is being run already by process"):
        run_sweep(plan_at(bucket), listener)
    assert bucket.names() == ["results/.curves.lock"]


def test_what_cannot_be_uploaded_is_told_at_the_end(bucket, machine, listener, monkeypatch):
    monkeypatch.setattr("ecgtune.sweep.storage.PATIENCE", 0.1)
    monkeypatch.setattr(uploader, "INTERVAL", 1000.0)
    plan = plan_at(bucket, num_samples=1, max_epochs=1)
    listener.on("trial_finished", 1, lambda: monkeypatch.setattr(Remote, "write", refuse))

    def refuse(self, name, content):
        from ecgtune.remote import RemoteError

        raise RemoteError("the store is full.", passing=True)

    with pytest.raises(EcgtuneError, match=f"the store is full.*{plan.folder.path}") as caught:
        run_sweep(plan, listener)
    assert caught.value.exit_code == 1
    monkeypatch.undo()
    assert len((plan.folder.path / "trials.csv").read_text().splitlines()) == 2
