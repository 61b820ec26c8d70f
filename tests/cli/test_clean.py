"""`ecgtune clean`: shows first, asks, and removes no more than it showed."""

import json

import pytest

from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.lock import driving
from tests.sweep.test_cleaning import DEFINITION, TABLE, everything
from tests.sweep.test_retention import with_weights, write_model, write_sweep

ALL = {f"{number:05d}" for number in range(5)}


@pytest.fixture
def folder(tmp_path):
    folder = write_sweep(SweepFolder(tmp_path / "results" / "mine"), **DEFINITION)
    folder.trials_table.write_text(TABLE)
    for trial_id in ALL:
        write_model(folder, trial_id)
    return folder


@pytest.fixture
def answer(monkeypatch):
    """A terminal at which somebody types."""

    def say(word):
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("typer.confirm", lambda *given, **more: word == "y")

    return say


def test_without_a_terminal_it_only_shows(run_cli, folder):
    before = everything(folder)
    result = run_cli("clean", "--results", folder.path.parent, "--keep", "1")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "sweep  what can go                         MB",
        "mine   3 trials' weights beyond the best  0.0",
        "all                                       0.0",
    ]
    assert "`ecgtune clean ... --yes`" in result.stderr
    assert everything(folder) == before


@pytest.mark.parametrize(("word", "left"), [("y", {"00003", "00004"}), ("n", ALL)])
def test_it_asks(run_cli, folder, answer, word, left):
    answer(word)
    result = run_cli("clean", "mine", "--results", folder.path.parent, "--keep", "1")
    assert result.exit_code == 0
    assert with_weights(folder) == left
    assert ("removed 0.0 MB" in result.stdout) == (word == "y")


def test_yes_is_not_asked(run_cli, folder):
    result = run_cli("clean", "--results", folder.path.parent, "--yes")
    assert result.exit_code == 0
    assert with_weights(folder) == ALL - {"00002"}
    assert run_cli("clean", "--results", folder.path.parent).stdout == f"nothing to remove in {folder.path.parent}\n"


def test_json(run_cli, folder):
    shown = json.loads(run_cli("clean", "--results", folder.path.parent, "--json").stdout)
    removed = json.loads(run_cli("clean", "--results", folder.path.parent, "--json", "--yes").stdout)
    assert (shown["removed"], removed["removed"]) == (False, True)
    assert removed["sweeps"] == shown["sweeps"]
    (one,) = shown["sweeps"]
    assert (one["name"], one["keep"], one["bytes"], one["items"][0]["kind"]) == ("mine", 3, 200, "weights")


def test_a_running_sweep_is_skipped_with_a_note(run_cli, folder):
    other = write_sweep(SweepFolder(folder.path.parent / "other"), **DEFINITION)
    before = everything(folder)
    with driving(folder.lock):
        result = run_cli("clean", "--results", folder.path.parent, "--keep", "1", "--yes")
    assert "mine is left alone: it is being run by process" in result.stderr
    assert result.exit_code == 0
    assert everything(folder) == before
    assert other.path.exists()


def test_entirely(run_cli, folder):
    later = write_sweep(SweepFolder(folder.path.parent / "later"), pretext={"model": "../mine/best"})
    refused = run_cli("clean", "mine", "--entirely", "--yes", "--results", folder.path.parent)
    assert (refused.exit_code, refused.stderr.count("error:")) == (2, 1)
    assert "mine is needed by later" in refused.stderr
    assert folder.path.exists()
    result = run_cli("clean", "mine", "later", "--entirely", "--yes", "--results", folder.path.parent)
    assert "mine   1 whole sweep" in result.stdout
    assert not folder.path.exists()
    assert not later.path.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--entirely"], "say which sweeps"),
        (["mine", "--entirely", "--keep", "2"], "--keep has no meaning"),
        (["nobody"], "there is no sweep nobody in"),
        (["../up"], "cannot name a sweep"),
    ],
)
def test_mistakes_are_one_message(run_cli, folder, arguments, message):
    result = run_cli("clean", *arguments, "--yes", "--results", folder.path.parent)
    assert (result.exit_code, result.stderr.count("error:")) == (2, 1)
    assert message in result.stderr
    assert with_weights(folder) == ALL
