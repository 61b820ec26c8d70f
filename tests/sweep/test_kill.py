"""A sweep that is killed again and again, at random points of its writing, ends as if nothing had happened."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tests.sweep.killed import plan_of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
KILLS = 25


def drive(folder, scheduler, kills, seed):
    """Run the sweep in a process of its own, killed so often; gives how often it was."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.sweep.killed", str(folder), scheduler, str(kills), str(seed)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout)


def rows(path):
    with path.open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def outcome(folder):
    """All that a sweep left behind, but for the time that it took."""
    storage = JournalStorage(JournalFileBackend(str(folder.study)))
    study = optuna.load_study(study_name=folder.name, storage=storage)
    trials = [(t.number, t.state.name, t.value, t.params, t.intermediate_values, t.user_attrs) for t in study.trials]
    # What a writer that died was about to write lies in dot files beside.
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    whole = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder.path).parts)]
    cards = {path.parent.parent.name: json.loads(path.read_text()) for path in whole if path.name == "model.json"}
    return {
        "trials.csv": rows(folder.trials_table),
        "epochs.csv": rows(folder.epochs_table),
        "study": trials,
        "cards": cards,
        "files": sorted(str(path.relative_to(folder.path)) for path in whole if "tensorboard" not in path.parts),
    }


@pytest.mark.parametrize(
    "scheduler", ["asha", "asha_promote", "pasha", "hyperband", "median", "none", "gp+asha_promote"]
)
def test_killed_at_random_points(scheduler, tmp_path):
    assert drive(tmp_path / "whole", scheduler, 0, 0) == 0
    expected = outcome(plan_of(tmp_path / "whole", scheduler).folder)
    reasons = {row["reason"] for row in expected["trials.csv"]}
    assert {"nan", "collapsed", ""} <= reasons, "the sweep is to show many kinds of end"
    assert drive(tmp_path / "killed", scheduler, KILLS, seed=len(scheduler)) >= 20
    found = outcome(plan_of(tmp_path / "killed", scheduler).folder)
    for part, content in expected.items():
        assert found[part] == content, part
