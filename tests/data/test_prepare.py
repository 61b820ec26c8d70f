import json
from pathlib import Path

import numpy as np
import pytest

from ecgtune.data.overview import LabelCounts, overview_of
from ecgtune.data.prepare import prepare
from ecgtune.data.preprocessing import Preparation
from ecgtune.data.splits import pretext_split
from ecgtune.data.store import load_dataset
from ecgtune.errors import DataError, InputError, StorageError
from ecgtune.files import sha256


def test_the_folder_holds_what_the_reader_gave(make_reader, tmp_path):
    told = []
    summary = prepare(make_reader(), tmp_path / "set", on_progress=lambda done, total: told.append((done, total)))
    data = load_dataset(tmp_path / "set")
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert data.windows.shape == (3 * 2 * 7, 2560)
    assert data.rows.groupby(["stimulus", "subject", "lead"]).size().tolist() == [3] * 6 + [2] * 12
    assert data.rows[data.rows["stimulus"] == "clip1"]["start"].unique().tolist() == [0.0, 10.0, 20.0]
    assert (summary.recordings, summary.kept) == (12, 9)
    assert summary.overview == overview_of(data)
    assert summary.fingerprint == data.fingerprint
    assert summary.overview.labels == (
        LabelCounts("arousal", 3.0, negative=0, positive=18, unlabelled=24, subjects_with_both=0),
        LabelCounts("valence", 3.0, negative=30, positive=0, unlabelled=12, subjects_with_both=0),
    )


def test_a_baseline_never_carries_a_label_even_if_the_reader_gives_one(make_reader, tmp_path):
    prepare(make_reader(), tmp_path / "set")
    data = load_dataset(tmp_path / "set")
    baseline = (data.rows["kind"] == "baseline").to_numpy()
    assert baseline.sum() == 12
    assert np.isnan(data.labels[baseline]).all()
    first_clip = (data.rows["stimulus"] == "clip1").to_numpy()
    np.testing.assert_array_equal(data.labels[first_clip], [[4.0, 1.0]] * 18)


def test_provenance_parameters_and_notes_are_written_down(make_reader, tmp_path):
    reader = make_reader()
    summary = prepare(reader, tmp_path / "set", Preparation(highpass_hz=0.5, normalisation="baseline"))
    info = json.loads((tmp_path / "set" / "dataset.json").read_text())
    assert info["preparation"] == {
        "sfreq": 256.0,
        "highpass_hz": 0.5,
        "normalisation": "baseline",
        "n_times": 2560,
        "step": 2560,
        "leads": [],
    }
    assert info["sources"] == [{"file": "in.dat", "bytes": 3, "sha256": sha256(reader.sources[0])}]
    assert info["notes"] == list(summary.notes)
    assert info["counts"] == json.loads(json.dumps(summary.overview.as_dict()))
    assert info["recordings"] == {"read": 12, "kept": 9}
    assert "the reader's own note" in summary.notes
    assert sum("shorter than a window" in note for note in summary.notes) == 3


def test_both_leads_of_an_instant_are_on_one_side_of_a_split(make_reader, tmp_path):
    prepare(make_reader(n_subjects=6), tmp_path / "set")
    data = load_dataset(tmp_path / "set")
    instants = data.rows[["subject", "stimulus", "start"]].astype(str).agg(" ".join, axis=1).to_numpy()
    assert (np.unique(instants, return_counts=True)[1] == 2).all()
    for seed in range(5):
        split = pretext_split(data.persons, val_fraction=0.3, held_out=(), seed=seed)
        assert not set(instants[split.train]) & set(instants[split.val])


def test_the_same_recordings_give_the_same_fingerprint_and_other_parameters_another(make_reader, tmp_path):
    prints = [
        prepare(make_reader(), tmp_path / name, preparation).fingerprint
        for name, preparation in [("a", None), ("b", None), ("c", Preparation(highpass_hz=0.5))]
    ]
    assert prints[0] == prints[1] != prints[2]


def test_a_recording_with_flags_only_is_noted(make_reader, tmp_path):
    reader = make_reader()
    reader.people["p1"][1].signal[1] = 0.0
    summary = prepare(reader, tmp_path / "set")
    assert "p1 clip1, lead II: no usable window, all 3 are flagged (flat, no_beats)" in summary.notes
    assert summary.overview.quality == {"flat": 3, "no_beats": 3}
    assert summary.overview.good == summary.overview.windows - 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda reader: reader.people.clear(), "no window is left of made: the reader's own note"),
        (
            lambda reader: [people.__delitem__(slice(0, 3)) for people in reader.people.values()],
            "no window is left of made: .*; p0 clip3: 5.0 s, shorter than a window of 10 s; .*; and 1 more",
        ),
    ],
    ids=["no person", "all too short"],
)
def test_if_nothing_is_left_one_message_says_why(make_reader, tmp_path, change, message):
    reader = make_reader()
    change(reader)
    with pytest.raises(DataError, match=message):
        prepare(reader, tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_a_reader_that_fails_half_way_leaves_nothing_and_harms_nothing(make_reader, tmp_path):
    before = prepare(make_reader(), tmp_path / "set").fingerprint
    with pytest.raises(DataError, match="third file is corrupt"):
        prepare(make_reader(fails_after=2), tmp_path / "set", overwrite=True)
    assert load_dataset(tmp_path / "set").fingerprint == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "set"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("name", ["windows.npy", "labels.npy", "windows.csv"])
def test_a_full_disk_leaves_no_half_folder(make_reader, tmp_path, monkeypatch, name):
    import builtins
    import io

    real_open = io.open

    def open_on_a_full_disk(file, *args, **kwargs):
        return real_open("/dev/full" if Path(str(file)).name == name else file, *args, **kwargs)

    monkeypatch.setattr(io, "open", open_on_a_full_disk)
    monkeypatch.setattr(builtins, "open", open_on_a_full_disk)
    with pytest.raises(StorageError, match="no space left on device.*free some space"):
        prepare(make_reader(), tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_only_a_data_set_folder_is_ever_replaced(make_reader, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(InputError, match="thesis exists already.*--overwrite"):
        prepare(make_reader(), tmp_path / "thesis")
    with pytest.raises(DataError, match="thesis is not a data-set folder, so it is not replaced"):
        prepare(make_reader(), tmp_path / "thesis", overwrite=True)
    with pytest.raises(DataError, match=r"chapter1.txt is not a data-set folder"):
        prepare(make_reader(), tmp_path / "thesis" / "chapter1.txt", overwrite=True)
    assert (tmp_path / "thesis" / "chapter1.txt").read_text() == "years of work"


def test_the_raw_files_are_never_replaced(make_reader, tmp_path):
    reader = make_reader()
    (tmp_path / "raw" / "dataset.json").write_text("{}")
    with pytest.raises(DataError, match=r"raw holds the raw file in.dat, so it is not replaced"):
        prepare(reader, tmp_path / "raw", overwrite=True)
    assert reader.sources[0].read_bytes() == b"abc"


def test_a_set_without_labels_and_without_files(make_reader, tmp_path):
    reader = make_reader(targets=())
    reader.sources = ()
    summary = prepare(reader, tmp_path / "set")
    data = load_dataset(tmp_path / "set")
    assert data.labels.shape == (42, 0)
    assert summary.overview.labels == ()
    assert data.info["sources"] == []
