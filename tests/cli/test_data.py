import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import edfio
import numpy as np
import pytest

from ecgtune.cli import console
from ecgtune.cli.data_progress import PeopleProgress
from ecgtune.cli.data_view import NOTES_SHOWN, notes_list, share
from ecgtune.data.datasets import DATASETS
from ecgtune.data.store import load_dataset

BEATS = np.tile(np.exp(-0.5 * ((np.arange(500) - 250) / 6) ** 2), 25)


@pytest.fixture
def eegmat(tmp_path) -> Path:
    """Two people of 25 s at rest and 15 s of arithmetic; the second person's arithmetic is noise."""
    folder = tmp_path / "raw"
    folder.mkdir()
    noise = np.random.default_rng(0).normal(size=(5, 12_500))
    for number, name in enumerate(("Subject00_1", "Subject00_2", "Subject01_1", "Subject01_2")):
        samples = noise[number] if name == "Subject01_2" else BEATS + 0.01 * noise[number]
        samples = samples[: 12_500 if name.endswith("1") else 7_500]
        edfio.Edf([edfio.EdfSignal(samples, 500.0, label="ECG ECG")]).write(folder / f"{name}.edf")
    return folder


def test_prepare_tells_what_was_found_and_info_shows_it_again(run_cli, eegmat, tmp_path):
    out = tmp_path / "set"
    result = run_cli("data", "prepare", "eegmat", eegmat, "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    data = load_dataset(out)
    for text in (
        "eegmat: 4 recordings read, 4 kept",
        "people   2",
        "windows  6 of 10 s, 5 good (83.3 %)",
        "arithmetic: 1 good windows above 0.5, 4 not above it; 1 people have both",
        "notes (1)",
        "Subject01 arithmetic, lead ecg: no usable window, all 1 are flagged",
        f"written to {out}, fingerprint {data.fingerprint[:12]}",
    ):
        assert text in result.stdout
    shown = run_cli("data", "info", out)
    assert shown.exit_code == 0
    for text in (
        "people",
        "windows      6 of 10 s, 5 good",
        "normalisation person_trimmed",
        data.fingerprint,
        "notes (1)",
    ):
        assert text in shown.stdout


def test_info_as_json(run_cli, eegmat, tmp_path):
    run_cli("data", "prepare", "eegmat", eegmat, "--out", tmp_path / "set")
    result = run_cli("data", "info", tmp_path / "set", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert told["counts"]["labels"] == [
        {
            "target": "arithmetic",
            "threshold": 0.5,
            "negative": 4,
            "positive": 1,
            "unlabelled": 0,
            "subjects_with_both": 1,
        }
    ]
    assert told["fingerprint"] == load_dataset(tmp_path / "set").fingerprint
    assert [source["file"] for source in told["sources"]] == sorted(path.name for path in eegmat.iterdir())


def test_options_reach_the_preparation(run_cli, eegmat, tmp_path):
    options = ["--normalisation", "window", "--highpass", "0", "--step", "2.5", "--leads", " ecg , V5"]
    result = run_cli("data", "prepare", "eegmat", eegmat, "--out", tmp_path / "set", *options)
    assert result.exit_code == 0
    data = load_dataset(tmp_path / "set")
    assert data.info["preparation"] == {
        "sfreq": 256.0,
        "highpass_hz": 0.0,
        "normalisation": "window",
        "n_times": 2560,
        "step": 640,
        "leads": ["ecg", "V5"],
    }
    assert sorted(set(data.rows["start"])) == [0.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0]
    np.testing.assert_allclose(data.windows.std(axis=1), 1.0, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["wesad", "RAW", "--out", "OUT"],
            "'wesad' is no data set that can be prepared.*dreamer, eegmat, wfdb, arrays",
        ),
        (["eegmat", "ABSENT", "--out", "OUT"], "absent does not exist"),
        (["eegmat", "EMPTY", "--out", "OUT"], "empty holds no file named SubjectNN_1.edf"),
        (["wfdb", "EMPTY", "--out", "OUT"], "empty"),
        (["arrays", "EMPTY", "--out", "OUT"], "empty"),
        (["dreamer", "EMPTY", "--out", "OUT"], "empty"),
        (["eegmat", "RAW", "--out", "EMPTY_NOT"], "taken exists already.*--overwrite"),
        (["eegmat", "RAW", "--out", "EMPTY_NOT", "--overwrite"], "taken is not a data-set folder"),
        (["eegmat", "RAW", "--out", "RAW", "--overwrite"], "raw is not a data-set folder"),
        (["eegmat", "RAW", "--out", "OUT", "--normalisation", "z"], "can be one of: person_trimmed, person, window"),
        (["eegmat", "RAW", "--out", "OUT", "--normalisation", "baseline"], "no baseline recording"),
        (["eegmat", "RAW", "--out", "OUT", "--highpass", "-1"], "high-pass is at -1 Hz"),
        (["eegmat", "RAW", "--out", "OUT", "--highpass", "200"], "below 128 Hz"),
        (["eegmat", "RAW", "--out", "OUT", "--step", "0"], "--step is 0 s; it must be above 0"),
        (["eegmat", "RAW", "--out", "OUT", "--step", "nan"], "--step is nan s"),
        (["eegmat", "RAW", "--out", "OUT", "--step", "0.001"], "the step is 0 samples"),
        (["eegmat", "RAW", "--out", "OUT", "--leads", "V9"], "it has the leads ecg, none of V9"),
        (["eegmat", "RAW", "--out", "OUT", "--name", "x"], "--name is for wfdb; eegmat does not take it"),
        (["eegmat", "RAW", "--out", "OUT", "--subjects", "x.csv"], "--subjects is for wfdb"),
        (["eegmat", "RAW"], "--out"),
    ],
)
def test_the_users_mistakes_have_one_message_exit_code_2_and_leave_nothing(run_cli, eegmat, tmp_path, options, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("mine")
    places = {"RAW": "raw", "OUT": "out", "ABSENT": "absent", "EMPTY": "empty", "EMPTY_NOT": "taken"}
    before = sorted(path for path in tmp_path.rglob("*"))
    arguments = [tmp_path / places[word] if word in places else word for word in options]
    result = run_cli("data", "prepare", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert re.search(message, result.stderr), result.stderr
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_full_disk_is_one_message_and_exit_code_2(run_cli, eegmat, tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ecgtune.data.store.DatasetWriter.add", refuse)
    result = run_cli("data", "prepare", "eegmat", eegmat, "--out", tmp_path / "set")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: cannot write below")
    assert "no space left on device" in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_overwrite_replaces_a_data_set(run_cli, eegmat, tmp_path):
    out = tmp_path / "set"
    run_cli("data", "prepare", "eegmat", eegmat, "--out", out)
    first = load_dataset(out).fingerprint
    assert run_cli("data", "prepare", "eegmat", eegmat, "--out", out, "--highpass", "1").exit_code == 2
    assert load_dataset(out).fingerprint == first
    assert run_cli("data", "prepare", "eegmat", eegmat, "--out", out, "--highpass", "1", "--overwrite").exit_code == 0
    assert load_dataset(out).fingerprint != first


@pytest.mark.parametrize("damage", ["absent", "no json", "half the windows"])
def test_info_of_a_broken_folder(run_cli, eegmat, tmp_path, damage):
    out = tmp_path / "set"
    run_cli("data", "prepare", "eegmat", eegmat, "--out", out)
    if damage == "absent":
        shutil.rmtree(out)
    elif damage == "no json":
        (out / "dataset.json").write_text("{")
    else:
        (out / "windows.npy").write_bytes((out / "windows.npy").read_bytes()[:20_000])
    result = run_cli("data", "info", out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "ecgtune data prepare" in result.stderr


@pytest.mark.slow
def test_the_real_arrhythmia_records_go_in(run_cli, real_data, tmp_path):
    result = run_cli("data", "prepare", "wfdb", real_data / "mitdb", "--out", tmp_path / "set", "--leads", "MLII")
    assert result.exit_code == 0
    assert "mitdb: 24 recordings read, 22 kept" in result.stdout
    data = load_dataset(tmp_path / "set")
    assert set(data.rows["lead"]) == {"MLII"}
    assert data.windows.shape == (22 * 180, 2560)
    assert data.good.mean() > 0.99


@pytest.mark.slow
def test_an_interrupt_ends_all_processes_and_leaves_nothing(real_data, tmp_path):
    out = tmp_path / "set"
    command = [sys.executable, "-m", "ecgtune", "data", "prepare", "wfdb", real_data / "mitdb", "--out", out]
    command += ["--step", "1"]  # ten times the windows, so that on no machine it is done before it is interrupted
    # What runs in the background of a shell is born deaf to interrupts, and so are its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*map(str, command), "--workers", "2"], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)  # the processes are starting, the most awkward moment
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):  # once they are gone, which takes them a moment
        for _ in range(100):
            os.killpg(process.pid, 0)
            time.sleep(0.1)


def test_the_bar_is_silent_where_standard_error_is_no_terminal(capsys):
    console.stderr.cache_clear()
    with PeopleProgress(3) as progress:
        progress.show(1, 3)
        progress.show(2, None)
    assert capsys.readouterr().err == ""


def test_a_long_list_of_notes_is_cut_and_says_so(capsys):
    console.stdout.cache_clear()
    console.stdout().print(notes_list([f"note {n}" for n in range(NOTES_SHOWN + 5)], where="dataset.json"))
    told = capsys.readouterr().out
    assert f"note {NOTES_SHOWN - 1}" in told
    assert f"note {NOTES_SHOWN}\n" not in told
    assert "and 5 more, all of them in dataset.json" in told


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(0, 0, "0.0 %"), (1, 3, "33.3 %"), (9999, 10_000, "99.9 %"), (7, 7, "100.0 %")]
)
def test_a_share_is_never_rounded_up_to_all(part, whole, text):
    assert share(part, whole) == text


def test_the_help_names_every_data_set(run_cli):
    told = run_cli("data", "prepare", "--help").stdout
    assert all(name in told for name in DATASETS)
