"""`ecgtune data prepare` on bad files: one clear message, exit code 2, and nothing left on the disk."""

import numpy as np
import pytest
import scipy.io
import wfdb

from ecgtune.data.synthetic.dreamer import write_dreamer


@pytest.fixture(scope="module")
def dreamer(tmp_path_factory):
    path = tmp_path_factory.mktemp("dreamer") / "DREAMER.mat"
    write_dreamer(path, subjects=1, minutes=3, eeg=False)
    return path


def _changed(dreamer, path, change):
    top = scipy.io.loadmat(dreamer)["DREAMER"]
    change(top[0, 0], top[0, 0]["Data"][0, 0])
    scipy.io.savemat(path, {"DREAMER": top})


def _rate(top, person):
    top["ECG_SamplingRate"] = np.array([[128.0]])


def _no_ecg(top, person):
    person["ECG"][0, 0] = np.zeros((0, 0))


def _three_leads(top, person):
    person["ECG"][0, 0]["stimuli"][0, 0][4, 0] = np.zeros((2560, 3))


def _short(top, person):
    for part in ("stimuli", "baseline"):
        for clip in range(18):
            person["ECG"][0, 0][part][0, 0][clip, 0] = np.ones((2559, 2))


def _fewer_scores(top, person):
    person["ScoreValence"][0, 0] = np.ones((17, 1))


STRUCTURES = {
    "wrong sampling rate": (_rate, "ECG_SamplingRate is 128 Hz; DREAMER's ECG has 256 Hz"),
    "no ECG": (_no_ecg, "Data{1} has no struct ECG"),
    "three leads": (_three_leads, "stimuli{5} is 2560 x 3"),
    "recordings shorter than a window": (_short, "shorter than a window of 10 s"),
    "scores missing": (_fewer_scores, "ScoreValence has 17 scores for 18 clips"),
}


def _refused(run_cli, tmp_path, kind, path, message):
    out = tmp_path / "out" / "set"
    result = run_cli("data", "prepare", kind, path, "--out", out)
    assert result.exit_code == 2, result
    assert message in result.stderr, result.stderr
    assert result.stderr.count("error:") == 1
    assert "Traceback" not in result.stderr + result.stdout
    assert result.stdout == ""
    assert not out.exists()
    assert not out.parent.exists() or not list(out.parent.iterdir())


@pytest.mark.parametrize("case", STRUCTURES)
def test_dreamer_of_another_structure(run_cli, tmp_path, dreamer, case):
    change, message = STRUCTURES[case]
    path = tmp_path / "D.mat"
    _changed(dreamer, path, change)
    _refused(run_cli, tmp_path, "dreamer", path, message)


FILES = {
    "missing": (None, "does not exist"),
    "empty": (lambda whole: b"", "is empty; a MAT-file is expected"),
    "not a MAT-file": (lambda whole: b"subject,clip\n" * 99, "is not a MAT-file of version 5 to 7"),
    "version 7.3": (lambda whole: b"MATLAB 7.3 MAT-file".ljust(600), "of version 7.3 (HDF5)"),
    "truncated": (lambda whole: whole[: len(whole) // 2], "is truncated: it describes"),
    "corrupt": (lambda whole: whole[:9999] + bytes(99) + whole[10098:], "is corrupt"),
}


@pytest.mark.parametrize("case", FILES)
def test_dreamer_that_is_no_whole_mat_file(run_cli, tmp_path, dreamer, case):
    spoil, message = FILES[case]
    path = tmp_path / "D.mat"
    if spoil is not None:
        path.write_bytes(spoil(dreamer.read_bytes()))
    _refused(run_cli, tmp_path, "dreamer", path, message)


def test_a_folder_in_place_of_the_file(run_cli, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    _refused(run_cli, tmp_path, "dreamer", folder, "cannot be read: Is a directory")


def test_another_variable(run_cli, tmp_path):
    path = tmp_path / "D.mat"
    scipy.io.savemat(path, {"AMIGOS": 1})
    _refused(run_cli, tmp_path, "dreamer", path, "has no variable DREAMER; it has: AMIGOS")


@pytest.mark.parametrize(
    ("kind", "message"), [("wfdb", "has no WFDB record"), ("arrays", "has no manifest.csv"), ("eegmat", "")]
)
def test_an_empty_folder(run_cli, tmp_path, kind, message):
    folder = tmp_path / "empty"
    folder.mkdir()
    _refused(run_cli, tmp_path, kind, folder, message)


@pytest.mark.parametrize(("cut", "message"), [(0, "is missing"), (-2, "it is truncated")])
def test_a_wfdb_signal_file(run_cli, tmp_path, cut, message):
    folder = tmp_path / "records"
    folder.mkdir()
    signal = np.sin(np.arange(6000) / 50)[:, None]
    wfdb.wrsamp("a", 360, ["mV"], ["II"], p_signal=signal, fmt=["16"], write_dir=str(folder))
    data = folder / "a.dat"
    if cut:
        data.write_bytes(data.read_bytes()[:cut])
    else:
        data.unlink()
    _refused(run_cli, tmp_path, "wfdb", folder, message)


def test_a_manifest_with_two_mistakes(run_cli, tmp_path):
    folder = tmp_path / "arrays"
    folder.mkdir()
    (folder / "manifest.csv").write_text("file,subject,stimulus,sfreq\n../x.npy,p,s,256\nnone.npy,p,s,0\n")
    _refused(run_cli, tmp_path, "arrays", folder, "3 mistakes")


def test_a_name_that_would_escape(run_cli, tmp_path):
    out = tmp_path / "out"
    folder = tmp_path / "records"
    folder.mkdir()
    wfdb.wrsamp("a", 360, ["mV"], ["II"], p_signal=np.zeros((6000, 1)), fmt=["16"], write_dir=str(folder))
    result = run_cli("data", "prepare", "wfdb", folder, "--out", out, "--name", "../../up")
    assert result.exit_code == 2
    assert "cannot be used for a data set" in result.stderr
    assert not out.exists()


def test_missing_ratings_are_kept_without_a_label(run_cli, tmp_path, dreamer):
    def change(top, person):
        scores = person["ScoreArousal"][0, 0].astype(float)
        scores[3] = np.nan
        person["ScoreArousal"][0, 0] = scores

    from ecgtune.data.store import load_dataset

    path, out = tmp_path / "D.mat", tmp_path / "set"
    _changed(dreamer, path, change)
    result = run_cli("data", "prepare", "dreamer", path, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert "no arousal rating of clip04" in result.stdout
    data = load_dataset(out)
    stimulus = (data.rows["kind"] == "stimulus").to_numpy()
    unrated = np.isnan(data.target("arousal")[1])
    assert set(data.rows["stimulus"][stimulus & unrated]) == {"clip04"}
    assert not np.isnan(data.target("valence")[1][stimulus]).any()
    assert np.isnan(data.labels[~stimulus]).all()


def test_arrays_become_a_data_set(run_cli, tmp_path):
    from ecgtune.data.store import load_dataset
    from ecgtune.data.synthetic.dreamer import record_clip
    from ecgtune.data.synthetic.person import Feeling

    folder, out = tmp_path / "mine", tmp_path / "set"
    folder.mkdir()
    rows = ["file,subject,stimulus,sfreq,kind,target_stress"]
    for person in range(2):
        for clip, kind in enumerate(("baseline", "stimulus")):
            name = f"p{person}_{kind}.npy"
            np.save(folder / name, record_clip(0, person, "stimuli", clip, 5200, Feeling())[0])
            rows.append(f"{name},p{person},{kind},256,{kind},{'' if kind == 'baseline' else person}")
    (folder / "manifest.csv").write_text("\n".join(rows))
    assert run_cli("data", "prepare", "arrays", folder, "--out", out).exit_code == 0
    data = load_dataset(out)
    assert (data.name, len(data.windows), set(data.rows["subject"])) == ("mine", 16, {"p0", "p1"})
    scores = data.target("stress")[1]
    assert [sorted(scores[(data.rows["kind"] == "stimulus") & (data.rows["subject"] == p)]) for p in ("p0", "p1")] == [
        [0, 0, 0, 0],
        [1, 1, 1, 1],
    ]
