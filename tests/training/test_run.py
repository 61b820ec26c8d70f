"""The record of a run: which epoch is best, and what is kept of the others."""

import math

import numpy as np
import pytest

from ecgtune.errors import EcgtuneError, StorageError
from ecgtune.training.result import EpochResult
from ecgtune.training.run import _rows, is_without_epochs, record

NAN = math.nan


def results(metric, values, train_loss=1.0):
    for epoch, value in enumerate(values, start=1):
        metrics = {"train_loss": train_loss, "val_loss": 1.0, metric: value}
        yield EpochResult(epoch, 0.1, metrics, 1.0, 10.0, np.zeros((2, 2), dtype=np.int64), lambda: None)


@pytest.mark.parametrize(
    ("stage", "metric", "values", "saved"),
    [
        ("pretext", "val_loss", [3.0, 1.0, 2.0, 1.0], [1, 2]),
        ("pretext", "val_loss", [1.0, 2.0], [1]),
        ("emotion", "val_balanced_accuracy", [0.5, 0.7, 0.6, 0.7], [1, 2]),
        ("emotion", "val_balanced_accuracy", [NAN, 0.4, NAN, 0.5], [2, 4]),
    ],
)
def test_the_best_epoch_is_saved_and_the_first_of_equals_stays(stage, metric, values, saved, tmp_path):
    kept, told = [], []
    best = record(
        results(metric, values),
        tmp_path / "new",
        stage=stage,
        save=lambda folder, result: kept.append((folder, result.epoch)),
        on_epoch=lambda result, better: told.append((result.epoch, better)),
    )
    assert kept == [(tmp_path / "new", epoch) for epoch in saved]
    assert told == [(epoch, epoch in saved) for epoch in range(1, len(values) + 1)]
    assert best.epoch == saved[-1]
    lines = (tmp_path / "new" / "epochs.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,lr,train_loss,val_loss")
    assert len(lines) == 1 + len(values)


@pytest.mark.parametrize(
    ("values", "message"), [([2.0, NAN, 1.0], "epoch 2.*best epoch, 1, is kept"), ([NAN], "epoch 1")]
)
def test_a_loss_that_is_no_number_ends_the_run(values, message, tmp_path):
    with pytest.raises(EcgtuneError, match=message):
        record(results("val_loss", values), tmp_path, stage="pretext", save=lambda *_: None, on_epoch=lambda *_: None)
    lines = (tmp_path / "epochs.csv").read_text().splitlines()
    assert len(lines) == 1 + min(2, len(values)), "the epoch that broke is recorded, and none after it"


def test_no_epoch_at_all(tmp_path):
    with pytest.raises(EcgtuneError, match="no epoch"):
        record(iter(()), tmp_path, stage="emotion", save=lambda *_: None, on_epoch=lambda *_: None)


def test_only_what_ended_in_its_first_epoch_is_written_over(tmp_path):
    config, table = tmp_path / "config.toml", tmp_path / "epochs.csv"
    assert not is_without_epochs(tmp_path / "absent")
    config.write_text("[run]")
    assert not is_without_epochs(tmp_path), "somebody may have written it by hand"
    table.touch()
    assert is_without_epochs(tmp_path)
    with _rows(table):
        assert not is_without_epochs(tmp_path), "somebody is at work"
    assert is_without_epochs(tmp_path)
    (tmp_path / "best").mkdir()
    assert not is_without_epochs(tmp_path)
    (tmp_path / "best").rmdir()
    table.write_text("epoch,lr\n1,0.1\n")
    assert not is_without_epochs(tmp_path), "epochs, though no model"


def test_a_place_where_no_table_can_be_made_is_one_message(tmp_path):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "epochs.csv").mkdir()
    for table in (tmp_path / "file" / "epochs.csv", tmp_path / "epochs.csv"):
        with pytest.raises(StorageError, match=f"cannot write below {table.parent}: "), _rows(table):
            pytest.fail("nothing is to be written")
    assert (tmp_path / "file").read_text() == "kept"
