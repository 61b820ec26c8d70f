"""How a sweep stands, from its files."""

import os

import pytest

from ecgtune.errors import InputError
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.lock import driving
from ecgtune.sweep.overview import BestEpoch, RunningTrial, overview

DEFINITION = {
    "created": "2026-01-02T03:04:05+00:00",
    "state": "running",
    "sweep": {"stage": "pretext", "metric": "val_loss", "mode": "min", "num_samples": 5},
    "job": {"max_epochs": 9},
}
TRIALS = """trial_id,state,reason,epochs,seconds,best_epoch,val_loss
00000,COMPLETE,,9,1.0,7,0.5
00001,PRUNED,asha,3,1.0,2,0.7
00002,FAILED,nan,0,1.0,,
00003,RUNNING,,0,0.0,,
00004,RUNNING,,0,0.0,,
"""
EPOCHS = """trial_id,epoch,lr,val_loss,seconds
00000,7,0.1,0.5,1
00003,1,0.1,0.6,1
00003,2,0.1,0.4,1
00003,3,0.1,0.45,1
00003,4,0.1,"""


@pytest.fixture
def folder(tmp_path):
    folder = SweepFolder(tmp_path / "mine")
    folder.path.mkdir()
    folder.write(DEFINITION)
    folder.trials_table.write_text(TRIALS)
    folder.epochs_table.write_text(EPOCHS)
    return folder


def test_everything_is_told(folder):
    found = overview(folder)
    assert found.ended == {"COMPLETE": 1, "PRUNED (asha)": 1, "FAILED (nan)": 1}
    assert found.n_ended == 3
    # The last row of epochs.csv is being written.
    assert found.running == (RunningTrial("00003", 3, 0.45), RunningTrial("00004", 0, None))
    assert found.best == BestEpoch("00003", 2, 0.4)
    assert found.size == sum(file.stat().st_size for file in folder.path.iterdir())


@pytest.mark.parametrize(
    ("written", "driven", "expected"),
    [
        ("running", True, "running"),
        ("running", False, "interrupted"),
        ("interrupted", False, "interrupted"),
        ("interrupted", True, "running"),
        ("finished", False, "finished"),
        ("finished", True, "running"),
    ],
)
def test_a_sweep_runs_only_while_somebody_drives_it(written, driven, expected, folder):
    folder.write({**DEFINITION, "state": written})
    if driven:
        with driving(folder.lock):
            found = overview(folder)
        assert found.owner is not None
    else:
        found = overview(folder)
        assert found.owner is None
    assert found.state == expected


def test_a_sweep_that_has_only_begun(folder):
    folder.trials_table.unlink()
    folder.epochs_table.unlink()
    found = overview(folder)
    assert (found.n_ended, found.running, found.best) == (0, (), None)


def test_a_file_or_folder_that_goes_while_it_is_weighed_counts_nothing(folder, monkeypatch):
    (folder.path / ".best.abcdefgh").mkdir()
    (folder.path / ".best.abcdefgh" / "model.json").write_text("{}")
    (folder.path / "trials.csv.new").write_text("x")
    expected = overview(folder).size - len("{}x")

    def goes(call):
        def late(path, *given, **more):
            if str(path).endswith((".best.abcdefgh", "trials.csv.new")):
                raise FileNotFoundError(path)
            return call(path, *given, **more)

        return late

    # Between the moment in which it is listed and that in which it is looked at.
    for name in ("scandir", "lstat", "stat"):
        monkeypatch.setattr(os, name, goes(getattr(os, name)))
    assert overview(folder).size == expected


def test_something_else_is_no_sweep(tmp_path):
    with pytest.raises(InputError, match="no sweep.toml"):
        overview(SweepFolder(tmp_path))
