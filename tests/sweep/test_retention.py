"""Which models a sweep keeps, and that nothing is lost by it."""

import errno
import math
import shutil
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgtune.errors import StorageError
from ecgtune.sweep.block import EpochReport
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.promote import promote
from ecgtune.sweep.record import SweepRecord
from ecgtune.sweep.retention import Retention, beyond, remove_weights
from ecgtune.sweep.study import SweepStudy
from ecgtune.sweep.tensorboard import SweepBoard
from ecgtune.sweep.trial import better
from ecgtune.training.removed import removal_note

WEIGHTS = ("encoder.safetensors", "heads.safetensors")
STAY = {"model.json", "predictions.csv"}


def write_model(folder: SweepFolder, trial_id: str, epoch: int = 1) -> Path:
    model = folder.trial(trial_id) / "best"
    model.mkdir(parents=True)
    for name in WEIGHTS:
        (model / name).write_bytes(b"x" * 100)
    (model / "model.json").write_text(f'{{"epoch": {epoch}, "sweep": {{"trial": "{trial_id}"}}}}')
    (model / "predictions.csv").write_text("row\n")
    return model


def write_sweep(folder: SweepFolder, **content) -> SweepFolder:
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write({"created": "2026", **content})
    return folder


def with_weights(folder: SweepFolder) -> set[str]:
    """Trials whose weights are whole; fails where some lie there by half."""
    found = set()
    for model in folder.path.glob("trials/*/best"):
        names = {file.name for file in model.iterdir()}
        present = names & set(WEIGHTS)
        assert present in (set(), set(WEIGHTS))
        assert names >= STAY
        assert ("weights-removed.txt" in names) == (not present)
        if present:
            found.add(model.parent.name)
    return found


@pytest.fixture
def folder(tmp_path) -> SweepFolder:
    return write_sweep(SweepFolder(tmp_path / "results" / "mine"))


SCORES = st.one_of(st.none(), st.sampled_from([0.1, 0.2, 0.3]), st.floats(allow_nan=False))


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(SCORES, min_size=1, max_size=9),
    keep=st.integers(1, 4),
    mode=st.sampled_from(["min", "max"]),
    order=st.randoms(use_true_random=False),
    referred=st.sets(st.integers(0, 8), max_size=2),
    restart=st.integers(0, 9),
)
def test_whatever_ends_in_whatever_order_the_policy_holds(
    tmp_path_factory, scores, keep, mode, order, referred, restart
):
    results = tmp_path_factory.mktemp("results")
    folder = write_sweep(SweepFolder(results / "mine"))
    for number in referred:
        model = f"../mine/trials/{number:05d}/best"
        write_sweep(SweepFolder(results / f"later-{number}"), pretext={"model": model})
    ending = list(enumerate(scores))
    order.shuffle(ending)
    retention = Retention(folder, keep=keep, mode=mode)
    winner, ended = None, {}
    for step, (number, score) in enumerate(ending):
        trial_id = f"{number:05d}"
        write_model(folder, trial_id)
        if step == restart:
            # The driver died, and finds the trials in the order of their numbers.
            retention = Retention(folder, keep=keep, mode=mode)
            retention.resting(dict(sorted(ended.items())), winner and winner[0])
        if score is not None and better(score, winner[1] if winner else None, mode):
            winner = (trial_id, score)
            promote(folder, trial_id, 1)
        ended[trial_id] = score
        retention.resting({trial_id: score}, winner and winner[0])
        scored = [(s if mode == "min" else -s, int(t)) for t, s in ended.items() if s is not None]
        expected = {f"{n:05d}" for _, n in sorted(scored)[:keep]}
        expected |= {f"{n:05d}" for n in referred} & set(ended)
        if winner:
            expected.add(winner[0])
            assert {file.name for file in folder.best.iterdir()} == {*WEIGHTS, *STAY}
        assert with_weights(folder) == expected
        assert beyond(ended, keep, mode) == set(ended) - {f"{n:05d}" for n in [n for _, n in sorted(scored)[:keep]]}
    gone = set(ended) - with_weights(folder)
    lines = folder.retention_log.read_text().splitlines() if gone else []
    assert sorted(line.split("\t")[1] for line in lines) == [f"trials/{trial_id}/best" for trial_id in sorted(gone)]


def test_a_trial_that_runs_is_none_of_its_business(folder):
    running = write_model(folder, "00000")
    (folder.trial("00000") / "state.pt").write_bytes(b"state")
    retention = Retention(folder, keep=1, mode="min")
    for number in (1, 2):
        write_model(folder, f"{number:05d}")
        retention.resting({f"{number:05d}": 1.0 / number}, f"{number:05d}")
    assert with_weights(folder) == {"00000", "00002"}
    assert (running.parent / "state.pt").exists()


def test_the_model_of_a_trial_that_goes_on_is_left_alone_until_it_rests_again(folder):
    retention = Retention(folder, keep=1, mode="max")
    for number, score in enumerate((0.5, 0.4)):
        write_model(folder, f"{number:05d}")
        retention.resting({f"{number:05d}": score}, None)
    assert with_weights(folder) == {"00000"}
    retention.woken("00000")
    write_model(folder, "00002")
    retention.resting({"00002": 0.9}, None)
    assert with_weights(folder) == {"00000", "00002"}, "its worker may be writing"
    retention.resting({"00000": 0.6}, None)
    assert with_weights(folder) == {"00002"}


def test_a_trial_that_lost_its_model_and_made_a_new_one_may_lose_that_too(folder):
    retention = Retention(folder, keep=1, mode="max")
    for number, score in enumerate((0.9, 0.4)):
        write_model(folder, f"{number:05d}")
        retention.resting({f"{number:05d}": score}, None)
    assert with_weights(folder) == {"00000"}
    retention.woken("00001")
    shutil.rmtree(folder.trial("00001"))
    write_model(folder, "00001", epoch=2)
    retention.resting({"00001": 0.5}, None)
    assert with_weights(folder) == {"00000"}


def test_a_trial_that_rests_twice_counts_once(folder):
    retention = Retention(folder, keep=2, mode="max")
    for number, score in enumerate((0.5, 0.4)):
        write_model(folder, f"{number:05d}")
        retention.resting({f"{number:05d}": score}, None)
    retention.resting({"00000": 0.6}, None)
    assert with_weights(folder) == {"00000", "00001"}


def test_what_is_removed_is_told_with_time_bytes_and_reason(folder):
    model = write_model(folder, "00007")
    assert remove_weights(folder, "00007", 3).size == 200
    (line,) = folder.retention_log.read_text().splitlines()
    when, what, size, why = line.split("\t")
    assert when.endswith("+00:00")
    assert (what, size, why) == ("trials/00007/best", "200", "weights: trial 00007 is not among the 3 best")
    assert "--keep K" in removal_note(model)
    # What is gone already is no matter, and no line.
    assert remove_weights(folder, "00007", 3).size == 0
    assert remove_weights(folder, "00099", 3).size == 0
    assert len(folder.retention_log.read_text().splitlines()) == 1


def test_on_a_full_disk_the_weights_go_first(folder, monkeypatch):
    model = write_model(folder, "00007")
    write = Path.write_text

    def full(self, *given, **more):
        if any(model.glob("*.safetensors")):
            raise OSError(errno.ENOSPC, "full")
        return write(self, *given, **more)

    monkeypatch.setattr(Path, "write_text", full)
    remove_weights(folder, "00007", 3)
    assert with_weights(folder) == set()
    assert len(folder.retention_log.read_text().splitlines()) == 1


def test_a_reference_that_comes_and_goes_counts_while_it_is_there(folder):
    retention = Retention(folder, keep=1, mode="min")
    later = SweepFolder(folder.path.parent / "later")
    write_sweep(later, pretext={"model": "../other/best", "sweep_name": "mine", "sweep_trial": "00001"})
    for number in (0, 1):
        write_model(folder, f"{number:05d}")
        retention.resting({f"{number:05d}": float(number)}, "00000")
    assert with_weights(folder) == {"00000", "00001"}
    later.definition.unlink()
    write_model(folder, "00002")
    retention.resting({"00002": 2.0}, "00000")
    assert with_weights(folder) == {"00000"}


def test_four_hundred_ends_cost_little(folder):
    for number in range(30):
        write_sweep(SweepFolder(folder.path.parent / f"other-{number}"), pretext={"model": "../mine/best"})
    for number in range(400):
        write_model(folder, f"{number:05d}")
    retention = Retention(folder, keep=3, mode="max")
    begun = time.process_time()
    for number in range(400):
        retention.resting({f"{number:05d}": math.sin(number)}, None)
    assert time.process_time() - begun < 3.0  # a third of it on an idle machine
    assert len(with_weights(folder)) == 3


def test_a_refusal_of_the_disk_is_told_as_one(folder, monkeypatch):
    model = write_model(folder, "00000")

    def refuse(self, **given):
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StorageError, match="cannot write below"):
        remove_weights(folder, "00000", 1)
    assert {file.name for file in model.iterdir()} >= set(WEIGHTS)


def opened(plan, listener, keep):
    settings = plan.space.settings
    study = SweepStudy(plan.folder.study, plan.space, num_samples=settings.num_samples, seed=0)
    board = SweepBoard(plan.folder.tensorboard, plan.space.parameters, ["val_loss"])
    return study, SweepRecord(
        plan.folder, plan.space, study, board, listener, classes=("a", "b"), max_epochs=1, keep=keep
    )


def test_the_record_applies_it_at_each_end_and_after_a_restart(curve_plan, listener, monkeypatch):
    plan = curve_plan(num_samples=5)
    plan.folder.path.mkdir(parents=True)
    plan.folder.write({"created": "2026"})
    study, record = opened(plan, listener, keep=2)

    def run(trial_id, parameters, loss):
        record.started(trial_id, parameters)
        write_model(plan.folder, trial_id)
        epoch = EpochReport(1, 1e-3, {"val_loss": loss, "train_loss": loss}, 0.0, 1.0, [[1, 0], [0, 1]])
        record.report(trial_id, {"epochs": [epoch], "failure": "", "message": "", "warning": ""})

    for loss, kept in ((0.5, {0}), (0.7, {0, 1}), (0.3, {0, 2})):
        trial_id, parameters = study.ask()
        run(trial_id, parameters, loss)
        record.finished(trial_id)
        assert with_weights(plan.folder) == {f"{number:05d}" for number in kept}
        assert f'"trial": "0000{2 if loss == 0.3 else 0}"' in (plan.folder.best / "model.json").read_text()
    # The driver dies after the study was told of a trial's end and before the rest; another trial still runs.
    monkeypatch.setattr(Retention, "resting", lambda *given: sys.exit("killed"))
    with pytest.raises(SystemExit):
        trial_id, parameters = study.ask()
        run(trial_id, parameters, 0.9)
        record.finished(trial_id)
    trial_id, parameters = study.ask()
    run(trial_id, parameters, 0.8)
    monkeypatch.undo()
    assert with_weights(plan.folder) == {"00000", "00002", "00003", "00004"}
    _, again = opened(plan, listener, keep=1)
    (plan.folder.trial("00003") / "state.pt").write_bytes(b"state")
    again.restore()
    assert with_weights(plan.folder) == {"00002", "00004"}
    assert not list(plan.folder.path.rglob("state.pt"))
