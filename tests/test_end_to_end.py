"""From a generated raw file to the honest numbers, through the commands, on a real Ray cluster."""

import csv
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ecgtune.cli.dashboard import launch, log_arguments
from ecgtune.config import TRANSFORMS
from ecgtune.evaluation.statistics import person_statistics
from ecgtune.training.checkpoint import load_encoder

pytestmark = [pytest.mark.ray, pytest.mark.slow]

PRETEXT_SPACE = """
question = "Does everything run?"
[sweep]
stage = "pretext"
metric = "val_loss"
num_samples = 2
max_epochs = 2
scheduler = "none"
[parameters]
"pretext/adam/lr" = { low = 5e-4, high = 5e-3, log = true }
"pretext/scheduler/type" = { choices = ["none", "cosine_w_restarts"] }
"pretext/scheduler/warmup" = { low = 0, high = 1, when = { "pretext/scheduler/type" = "cosine_w_restarts" } }
"pretext/batch_size" = 8
"pretext/encoder/pool_stride" = 8
"pretext/windows_per_epoch" = 16
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, ray_cluster) -> Path:
    return tmp_path_factory.mktemp("end-to-end")


@pytest.fixture
def cli(run_cli, place, monkeypatch):
    """Run a command in the module's folder; it must succeed."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("ECGTUNE_CACHE", str(place / "cache"))

    def run(*arguments, code=0):
        result = run_cli(*arguments)
        assert result.exit_code == code, result.stderr
        return result

    return run


def rows(path: Path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_1_raw_files_to_windows(cli, place):
    cli("data", "synth", "dreamer", "--out", "DREAMER.mat", "--subjects", "6", "--minutes", "3", "--no-eeg")
    assert "6" in cli("data", "prepare", "dreamer", "DREAMER.mat", "--out", "dreamer", "--leads", "lead1").stdout


def test_2_the_pretext_sweep(cli, place):
    (place / "space.toml").write_text(PRETEXT_SPACE)
    result = cli(
        "sweep", "pretext", "--data", "dreamer", "--space", "space.toml", "--name", "first", "--hold-out", "0.5"
    )
    assert "3 of 6 people are held out" in result.stderr
    assert "trial 00000 epoch 1/2: val_loss" in result.stderr
    assert result.stdout.strip() == "results/first"
    folder = place / "results" / "first"
    definition = tomllib.loads((folder / "sweep.toml").read_text())
    assert (
        definition["data"][0]["fingerprint"] == json.loads((place / "dreamer/dataset.json").read_text())["fingerprint"]
    )
    trials = rows(folder / "trials.csv")
    assert [row["state"] for row in trials] == ["COMPLETE"] * 2
    assert len(rows(folder / "epochs.csv")) == 4
    encoder, card = load_encoder(folder / "best")
    assert encoder.n_features == 128
    best = min(trials, key=lambda row: float(row["val_loss"]))
    assert card["sweep"] == {"name": "first", "trial": best["trial_id"]}
    assert card["metrics"]["val_loss"] == float(best["val_loss"])
    assert card["epoch"] == int(best["best_epoch"])
    assert card["parameters"]["pretext/adam/lr"] == float(best["pretext/adam/lr"])
    people = card["subjects"]
    assert len(people["held_out"]) == 3
    assert not set(people["train"]) & set(people["val"])
    assert not {*people["train"], *people["val"]} & set(people["held_out"])
    assert not list(folder.rglob("*.pkl"))
    assert not list(folder.rglob("state.pt"))


def test_3_tensorboard_has_it_all(place):
    board = place / "results" / "first" / "tensorboard"
    sweep = EventAccumulator(str(board / "sweep")).Reload()
    assert set(sweep.Tags()["images"]) == {"views/one training window", "confusion/best trial"}
    assert "_hparams_/experiment" in sweep.summary_metadata
    trial = EventAccumulator(str(board / "00000")).Reload()
    assert {"loss/train", "loss/val", "accuracy/val", "schedule/lr"} <= set(trial.Tags()["scalars"])
    assert {f"f1/val_{name}" for name in TRANSFORMS} <= set(trial.Tags()["scalars"])
    assert "_hparams_/session_start_info" in trial.summary_metadata
    assert [event.step for event in trial.Scalars("loss/val")] == [1, 2]


def test_4_the_emotion_sweep_takes_the_promoted_encoder(cli, place):
    result = cli("sweep", "emotion", "--space", "smoke", "--name", "second", "--max-epochs", "2", "--target", "valence")
    assert "3 people are trained on only, since the encoder has seen them" in result.stderr
    folder = place / "results" / "second"
    definition = tomllib.loads((folder / "sweep.toml").read_text())
    assert definition["pretext"]["sweep_name"] == "first"
    assert definition["job"]["target"] == "valence"
    assert definition["job"]["threshold"] == 3
    held_out = json.loads((place / "results/first/best/model.json").read_text())["subjects"]["held_out"]
    predictions = rows(folder / "best" / "predictions.csv")
    assert {row["person"] for row in predictions} == set(held_out)
    # The stored predictions are those of the epoch and trial that the table names.
    best = max(rows(folder / "trials.csv"), key=lambda row: float(row["val_balanced_accuracy"]))
    scores = []
    for fold in {row["fold"] for row in predictions}:
        mine = [row for row in predictions if row["fold"] == fold]
        truth = np.array([int(row["truth"]) for row in mine])
        guess = np.array([float(row["probability"]) > 0.5 for row in mine])
        scores.append((guess[truth == 1].mean() + (~guess[truth == 0]).mean()) / 2)
    assert np.mean(scores) == pytest.approx(float(best["val_balanced_accuracy"]))


def test_5_the_random_encoder_as_a_sweep_of_its_own(cli, place):
    cli("sweep", "emotion", "--pretext", "first", "--space", "smoke", "--name", "random", "--max-epochs", "2",
        "--target", "valence", "--random-encoder", "--num-samples", "2")  # fmt: skip
    definition = tomllib.loads((place / "results/random/sweep.toml").read_text())
    assert definition["pretext"]["random_weights"] is True


def test_6_the_evaluation_has_the_baselines(cli, place):
    shown = cli("evaluate", "second", "random", "--random-encoders", "1").stdout
    names = ["second: winner", "random: winner", "majority class", "heart rate alone", "random encoder 1, same head"]
    for name in names:
        assert name in shown
    assert "choosing the best of 4 trials by balanced accuracy is worth" in shown
    content = json.loads((place / "results/second/evaluation.json").read_text())
    (majority,) = [row for row in content["rows"] if row["name"] == "majority class"]
    assert majority["windows"]["balanced_accuracy"]["value"] == 0.5
    predictions = rows(place / "results/second/best/predictions.csv")
    counts = person_statistics(
        np.array([row["person"] for row in predictions]),
        np.array([int(row["truth"]) for row in predictions]),
        np.array([float(row["probability"]) for row in predictions]),
    )
    (expected,) = counts.score("auc", np.ones((1, len(counts.people))))
    assert content["rows"][0]["windows"]["auc"]["value"] == pytest.approx(expected)


def test_7_the_same_seed_and_one_worker_repeat_everything(cli, place):
    tables = []
    for name in ("again1", "again2"):
        cli("sweep", "emotion", "--pretext", "first", "--space", "smoke", "--name", name, "--max-concurrent", "1",
            "--max-epochs", "2", "--seed", "5")  # fmt: skip
        tables.append(
            [{k: v for k, v in row.items() if k != "seconds"} for row in rows(place / f"results/{name}/trials.csv")]
        )
    assert tables[0] == tables[1]


def test_8_a_leak_is_refused(cli, place):
    result = cli("sweep", "emotion", "--pretext", "first", "--space", "smoke", "--folds", "6", code=2)
    assert "Hold people out in the pretext stage" in result.stderr
    cli(
        "sweep",
        "emotion",
        "--pretext",
        "first",
        "--space",
        "smoke",
        "--folds",
        "6",
        "--transductive",
        "--name",
        "trans",
    )
    assert json.loads((place / "results/trans/best/model.json").read_text())["transductive"] is True


def test_9_the_dashboard_serves_the_results(place):
    import urllib.request

    address = launch(log_arguments(place / "results", []), 0)
    assert address.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(address + "data/runs") as answer:  # noqa: S310
        runs = json.loads(answer.read())
    assert any(run.startswith("first/") for run in runs)
