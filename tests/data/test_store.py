"""Folders that are not, or not quite, a data set."""

import json
import os

import pandas as pd
import pytest

from ecgtune.data.store import COLUMNS, load_dataset
from ecgtune.errors import DataError


def refused(folder):
    with pytest.raises(DataError) as caught:
        load_dataset(folder)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "hint"), [("DREAMER.MAT", "prepare dreamer {} --out"), ("a.edf", "prepare FORMAT RAW --out")]
)
def test_a_file_is_no_folder(tmp_path, name, hint):
    raw = tmp_path / name
    raw.touch()
    message = refused(raw)
    assert f"{raw} is a file" in message
    assert hint.format(raw) in message


@pytest.mark.parametrize("name", ["dataset.json", "windows.npy", "labels.npy", "windows.csv"])
def test_a_part_that_is_missing_or_a_folder(make_dataset, name):
    part = make_dataset(subjects=2, per_class=1).folder / name
    part.unlink()
    assert f"has no {name}. Make one with" in refused(part.parent)
    part.mkdir()
    assert f"cannot be read: {name}: Is a directory" in refused(part.parent)


def test_a_folder_without_permission(make_dataset, monkeypatch):
    folder = make_dataset(subjects=2, per_class=1).folder
    # Not by the file's mode, which does not bind the superuser that tests may run as.
    real = pd.read_csv

    def denied(path, **options):
        raise PermissionError(13, os.strerror(13), str(path))

    monkeypatch.setattr(pd, "read_csv", denied)
    assert refused(folder) == f"{folder} cannot be read: windows.csv: Permission denied."
    monkeypatch.setattr(pd, "read_csv", real)
    assert len(load_dataset(folder).rows)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_table_that_lacks_a_column(make_dataset, column):
    folder = make_dataset(subjects=2, per_class=1).folder
    table = folder / "windows.csv"
    pd.read_csv(table).drop(columns=column).to_csv(table, index=False)
    assert f"windows.csv has no column {column}" in refused(folder)


@pytest.mark.parametrize("entry", ["format", "name", "fingerprint", "n_windows", "targets", "sfreq"])
def test_an_entry_that_is_missing(make_dataset, entry):
    folder = make_dataset(subjects=2, per_class=1).folder
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    del content[entry]
    path.write_text(json.dumps(content))
    assert f"dataset.json has no '{entry}'" in refused(folder)
