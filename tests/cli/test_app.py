import re
import subprocess
import sys

import pytest

from ecgtune import __version__


def test_version_goes_to_standard_output(run_cli):
    result = run_cli("--version")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"ecgtune {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["data", "nonsense"]])
def test_a_wrong_word_is_the_users_mistake(run_cli, arguments):
    result = run_cli(*arguments)
    assert result.exit_code == 2
    assert "nonsense" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "command",
    ["ecgtune", "data", "data prepare", "sweep", "sweep pretext", "train emotion", "submit", "jobs", "cluster example"],
)
def test_help_loads_nothing_heavy(command):
    words = command.removeprefix("ecgtune").split()
    run = [sys.executable, "-X", "importtime", "-m", "ecgtune", *words, "--help"]
    result = subprocess.run(run, capture_output=True, text=True, check=True)
    loaded = set(re.findall(r"^import time:.*\|\s+(\w+)", result.stderr, re.MULTILINE))
    assert {"ecgtune", "typer"} <= loaded
    heavy = {
        "torch",
        "ray",
        "optuna",
        "pandas",
        "numpy",
        "scipy",
        "matplotlib",
        "neurokit2",
        "wfdb",
        "edfio",
        "sklearn",
    }
    assert not loaded & heavy


def test_ctrl_c_is_answered_in_one_line(run_cli, monkeypatch, tmp_path):
    def interrupted(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr("ecgtune.data.store.load_dataset", interrupted)
    result = run_cli("data", "info", tmp_path)
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "error: interrupted.\n")


@pytest.mark.parametrize("command", [["data", "info"], ["sweep", "pretext", "--data"]])
def test_a_raw_file_in_place_of_a_data_set_folder(run_cli, tmp_path, command):
    raw = tmp_path / "DREAMER.mat"
    raw.write_bytes(b"MATLAB 5.0 MAT-file")
    result = run_cli(*command, raw)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert f"{raw} is a file" in result.stderr
    assert f"`ecgtune data prepare dreamer {raw} --out" in result.stderr


def test_the_fixture_runs_commands_one_after_another(run_cli):
    assert run_cli("--version").exit_code == 0
    assert run_cli("nonsense").exit_code == 2
    assert run_cli("--help").exit_code == 0
