import shutil

import edfio
import numpy as np
import pytest

from ecgtune.data.eegmat import open_eegmat, without_padding
from ecgtune.data.overview import LabelCounts
from ecgtune.data.prepare import prepare
from ecgtune.data.preprocessing import Preparation
from ecgtune.data.store import load_dataset
from ecgtune.errors import DataError


@pytest.fixture
def write_edf(make_ecg, tmp_path):
    def write(name, seconds=20, label="ECG ECG"):
        signal = edfio.EdfSignal(make_ecg(seconds, sfreq=500.0), 500.0, label=label, physical_dimension="mV")
        edfio.Edf([signal]).write(tmp_path / name)
        return tmp_path / name

    return write


def test_person_condition_and_label_come_from_the_file_name(write_edf, make_ecg, tmp_path):
    for name in ("Subject07_2.edf", "Subject07_1.edf", "Subject10_1.edf"):
        write_edf(name)
    (tmp_path / "subject-info.csv").write_text("")
    reader = open_eegmat(tmp_path)
    assert (reader.name, reader.n_subjects, len(reader.sources)) == ("eegmat", 2, 3)
    people = dict(reader.subjects())
    assert [(r.stimulus, dict(r.labels), r.kind) for r in people["Subject07"]] == [
        ("rest", {"arithmetic": 0.0}, "stimulus"),
        ("arithmetic", {"arithmetic": 1.0}, "stimulus"),
    ]
    assert people["Subject07"][0].sfreq == 500.0
    np.testing.assert_allclose(people["Subject07"][0].signal[0], make_ecg(20, sfreq=500.0), atol=1e-4)
    assert reader.notes == ["Subject10: only rest was recorded"]


def test_the_end_of_a_file_that_stands_still_is_cut_off():
    sfreq = 100.0
    moving = np.sin(np.arange(300.0))
    held = np.concatenate([moving, np.full(110, 0.3), np.full(90, 1e-5)])
    np.testing.assert_array_equal(without_padding(held, sfreq), moving)
    np.testing.assert_array_equal(without_padding(moving, sfreq), moving)
    np.testing.assert_array_equal(without_padding(np.append(moving, [0.2] * 20), sfreq), np.append(moving, [0.2] * 20))
    assert len(without_padding(np.zeros(300), sfreq)) == 300
    assert len(without_padding(np.empty(0), sfreq)) == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b""), "cannot be read as an EDF file"),
        (lambda path: path.write_bytes(b"hello " * 500), "cannot be read as an EDF file"),
        (lambda path: path.write_bytes(path.read_bytes()[:300]), "cannot be read as an EDF file"),
        (lambda path: path.write_bytes(path.read_bytes()[:512]), "cannot be read as an EDF file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-7777]), "cannot be read as an EDF file.*[Ii]ncomplete"),
    ],
    ids=["empty", "text", "half a header", "header only", "cut short"],
)
def test_a_damaged_file_is_named_in_one_message(write_edf, tmp_path, damage, message):
    damage(write_edf("Subject00_1.edf"))
    with pytest.raises(DataError, match=f"Subject00_1.edf {message}") as caught:
        list(open_eegmat(tmp_path).subjects())
    assert "\n" not in str(caught.value)


def test_a_file_without_the_channel_names_those_it_has(write_edf, tmp_path):
    write_edf("Subject00_1.edf", label="EEG Fp1")
    with pytest.raises(DataError, match="Subject00_1.edf has no channel 'ECG ECG'; its channels are: EEG Fp1"):
        list(open_eegmat(tmp_path).subjects())


def test_folders_that_hold_no_such_files(tmp_path):
    with pytest.raises(DataError, match="holds no file named SubjectNN_1.edf"):
        open_eegmat(tmp_path)
    with pytest.raises(DataError, match="absent is not a folder"):
        open_eegmat(tmp_path / "absent")


def test_rest_is_a_class_and_no_baseline(write_edf, tmp_path):
    write_edf("Subject00_1.edf")
    with pytest.raises(DataError, match="no window is left of eegmat: .*no baseline recording.*choose another"):
        prepare(open_eegmat(tmp_path), tmp_path / "set", Preparation(normalisation="baseline"))


def test_the_real_set(real_data, tmp_path):
    summary = prepare(open_eegmat(real_data / "eegmat"), tmp_path / "set")
    data = load_dataset(tmp_path / "set")
    assert (summary.recordings, summary.kept) == (52, 52)
    assert summary.notes == (
        "Subject02 rest, lead ecg: no usable window, all 18 are flagged (no_beats, noisy)",
        "Subject13 rest, lead ecg: no usable window, all 18 are flagged (no_beats, noisy)",
        "Subject20 arithmetic, lead ecg: no usable window, all 6 are flagged (noisy)",
    )
    assert data.windows.shape == (622, 2560)
    assert data.good.sum() == 622 - 18 - 18 - 6 - 1
    assert summary.overview.labels == (LabelCounts("arithmetic", 0.5, 429, 150, 0, subjects_with_both=23),)
    assert np.isfinite(data.windows).all()


def test_a_real_file_that_is_cut_short(real_data, tmp_path):
    for name in ("Subject00_1.edf", "Subject00_2.edf"):
        shutil.copy(real_data / "eegmat" / name, tmp_path)
    path = tmp_path / "Subject00_2.edf"
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(DataError, match="Subject00_2.edf cannot be read as an EDF file.*Download it again"):
        prepare(open_eegmat(tmp_path), tmp_path / "set")
    assert not (tmp_path / "set").exists()
