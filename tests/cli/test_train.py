"""`ecgtune train` from end to end on a small data set, and its refusals."""

import csv
import json
import tomllib

import pytest

PRETEXT = """
[run]
epochs = 2
hold_out = 0.5

[parameters]
"pretext/batch_size" = 8
"pretext/encoder/pool_stride" = 8
"pretext/head/hidden" = 8
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "pretext.toml"
    path.write_text(PRETEXT)
    return path


@pytest.fixture
def dataset(make_dataset):
    return make_dataset(subjects=6, per_class=3).folder


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "cache"))


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("path", ["fourier", "tiled"])
def test_both_stages(path, run_cli, config, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTUNE_CONVOLUTION", path)
    out = tmp_path / "one"
    result = run_cli("train", "pretext", "--config", config, "--data", dataset, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() == str(out / "best")
    lines = [line for line in result.stderr.splitlines() if line.startswith("epoch ")]
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all(word in lines[0] for word in ("loss", "val", "accuracy", "lr 1.00e-03", "views/s"))
    assert "3 people are held out" in result.stderr
    table = rows(out / "epochs.csv")
    assert [row["epoch"] for row in table] == ["1", "2"]
    assert {"lr", "train_loss", "val_loss", "val_f1/noise", "seconds", "throughput"} <= set(table[0])
    card = json.loads((out / "best" / "model.json").read_text())
    assert card["epoch"] == int(min(table, key=lambda row: float(row["val_loss"]))["epoch"])
    assert len(card["subjects"]["held_out"]) == 3

    two = tmp_path / "two"
    options = ("--pretext", out / "best", "--out", two, "--epochs", "3", "--folds", "3")
    result = run_cli("train", "emotion", "--data", dataset, *options)
    assert result.exit_code == 0, result.stderr
    assert "arousal > 0.5: 18 of 36 windows; 3 folds over 3 people" in result.stderr
    assert "epoch 3/3" in result.stderr
    assert "AUC" in result.stderr
    predictions = rows(two / "predictions.csv")
    assert {row["person"] for row in predictions} == set(card["subjects"]["held_out"])
    best = json.loads((two / "best" / "model.json").read_text())
    top = max(rows(two / "epochs.csv"), key=lambda row: float(row["val_balanced_accuracy"]))
    assert best["epoch"] == int(top["epoch"])
    assert best["metrics"]["val_balanced_accuracy"] == float(top["val_balanced_accuracy"])


@pytest.mark.parametrize(
    ("off", "told"), [("0", "is computed as bf16: ECGTUNE_COMPILE=0."), ("", "PyTorch's compiler works in")]
)
def test_who_trains_an_encoder_is_told_what_comes_first(off, told, run_cli, config, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("ecgtune.models.encoder.fused", lambda way, _path: way)
    monkeypatch.setattr("ecgtune.models.fused._missing", lambda _kind: "")
    monkeypatch.setenv("ECGTUNE_COMPILE", off)
    one = tmp_path / "one"
    given = ("--data", dataset, "--convolution", "inductor", "--epochs", "1")
    result = run_cli("train", "pretext", "--config", config, "--out", one, *given)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count(f"inductor{' ' if off else ': '}{told}") == 1
    for unfreeze, times in (("true", 1), ("false", 0)):
        config.write_text(f'[parameters]\n"emotion/unfreeze" = {unfreeze}\n')
        options = ("--config", config, "--pretext", one / "best", "--folds", "2", "--out", tmp_path / unfreeze)
        result = run_cli("train", "emotion", *given, *options)
        assert result.exit_code == 0, result.stderr
        assert result.stderr.count(told) == times


def test_a_run_that_ended_before_an_epoch_was_kept_is_no_obstacle(run_cli, config, dataset, tmp_path, monkeypatch):
    given = ("train", "pretext", "--config", config, "--data", dataset, "--out", tmp_path / "one")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ecgtune.training.pretrain.pretrain", lambda *_, **__: iter(interrupted, None))
        assert run_cli(*given).exit_code == 130
    assert {each.name for each in (tmp_path / "one").iterdir()} == {"config.toml", "epochs.csv"}
    result = run_cli(*given, "--epochs", "1")
    assert result.exit_code == 0, result.stderr
    assert "exists already" in run_cli(*given).stderr


def test_the_written_configuration_runs_again_to_the_same_numbers(run_cli, config, dataset, tmp_path):
    assert run_cli("train", "pretext", "--config", config, "--data", dataset, "--out", tmp_path / "a").exit_code == 0
    again = tmp_path / "a" / "config.toml"
    assert tomllib.loads(again.read_text())["parameters"]["pretext/batch_size"] == 8
    assert run_cli("train", "pretext", "--config", again, "--out", tmp_path / "b").exit_code == 0
    one, two = (rows(tmp_path / name / "epochs.csv") for name in "ab")
    for left, right in zip(one, two, strict=True):
        for clock in ("seconds", "throughput"):
            del left[clock], right[clock]
        assert left == right


MISTAKES = """
[run]
epochs = 0
sede = 1

[parameters]
"pretext/adam/lr" = -1
"pretext/batch" = 8
"emotion/batch_size" = 8

[more]
x = 1
"""


def test_all_mistakes_of_a_file_at_once(run_cli, dataset, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(MISTAKES)
    result = run_cli("train", "pretext", "--config", path, "--data", dataset, "--out", tmp_path / "out")
    assert result.exit_code == 2
    for message in (
        "6 mistakes",
        "epochs = 0: must be a whole number from 1",
        "did you mean 'seed'?",
        "pretext/adam/lr = -1: must be a number above 0",
        "unknown parameter 'pretext/batch'; did you mean 'pretext/batch_size'?",
        "emotion/batch_size belongs to the emotion stage",
        "unknown table or key 'more'",
    ):
        assert message in result.stderr, message
    assert not (tmp_path / "out").exists()


def _refuse(result, *messages):
    assert result.exit_code == 2, result
    assert "Traceback" not in result.stderr
    assert result.stderr.count("error:") == 1
    for message in messages:
        assert message in result.stderr


def test_bad_input_of_the_pretext_stage(run_cli, config, dataset, tmp_path):
    out = tmp_path / "out"
    broken = tmp_path / "broken.toml"
    broken.write_text("[run\n")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    cases = [
        (["--out", out], "which data?"),
        (["--data", tmp_path / "none", "--out", out], "there is no folder"),
        (["--data", tmp_path, "--out", out], "is not a data-set folder: it has no dataset.json"),
        (["--config", tmp_path / "none.toml", "--out", out], "cannot be read: No such file"),
        (["--config", broken, "--out", out], "not TOML"),
        (["--config", binary, "--out", out], "not UTF-8"),
        (["--data", dataset, "--data", dataset, "--out", out], "given twice"),
        (["--data", dataset, "--epochs", "-1", "--out", out], "epochs = -1: must be a whole number"),
        (["--data", dataset, "--hold-out", "0.9", "--out", out], "at least 2 people"),
        (["--data", dataset, "--device", "abacus", "--out", out], "device 'abacus'"),
        (["--data", dataset, "--out", tmp_path / "taken"], "exists already"),
    ]
    for arguments, message in cases:
        _refuse(run_cli("train", "pretext", *arguments), message)
    assert not out.exists()
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["thesis.txt"]


def test_bad_input_of_the_emotion_stage(run_cli, config, dataset, make_dataset, tmp_path):
    model = tmp_path / "one"
    assert run_cli("train", "pretext", "--config", config, "--data", dataset, "--out", model).exit_code == 0
    given = ["--data", dataset, "--pretext", model / "best", "--out", tmp_path / "out"]
    cases = [
        (["--data", dataset], "which pretext model?"),
        (["--pretext", model / "best"], "which data set?"),
        (["--data", dataset, "--pretext", model], "not a model folder"),
        ([*given, "--target", "joy"], "no target 'joy'; it has: arousal, valence"),
        ([*given, "--threshold", "5"], "0 windows above"),
        ([*given, "--target", "valence"], "leaves one class only"),
        ([*given, "--folds", "5"], "--transductive"),
        ([*given, "--config", config], "belongs to the pretext stage"),
    ]
    for arguments, message in cases:
        _refuse(run_cli("train", "emotion", *arguments), message)
    weights = model / "best" / "encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    _refuse(run_cli("train", "emotion", *given), "encoder.safetensors is damaged")
    assert not (tmp_path / "out").exists()


def test_folds_follow_the_people_and_transductive_says_so(run_cli, config, dataset, tmp_path):
    model = tmp_path / "one"
    assert run_cli("train", "pretext", "--config", config, "--data", dataset, "--out", model).exit_code == 0
    given = ["--data", dataset, "--pretext", model / "best", "--epochs", "1"]
    result = run_cli("train", "emotion", *given, "--out", tmp_path / "few")
    assert "3 folds over 3 people" in result.stderr
    result = run_cli("train", "emotion", *given, "--out", tmp_path / "all", "--transductive")
    assert "5 folds over 6 people" in result.stderr
    assert "transductive: the encoder has seen people" in result.stderr
    assert json.loads((tmp_path / "all" / "best" / "model.json").read_text())["transductive"] is True


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_best(run_cli, dataset, tmp_path):
    path = tmp_path / "wild.toml"
    wild = {"optimizer": "'sgd'", "sgd/lr": 10.0, "sgd/momentum": 0.99, "loss": "'softmax'", "head/dropout": 0.0}
    lines = [f'"pretext/{name}" = {value}' for name, value in wild.items()]
    path.write_text(PRETEXT.replace("epochs = 2", "epochs = 40") + "\n".join(lines))
    result = run_cli("train", "pretext", "--config", path, "--data", dataset, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "the loss is not a finite number in epoch" in result.stderr
    table = rows(tmp_path / "out" / "epochs.csv")
    assert table[-1]["val_loss"] == "nan" or table[-1]["train_loss"] == "nan"
    assert len(table) < 40


def test_a_full_disk_is_one_message(run_cli, config, dataset, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ecgtune.training.checkpoint.save_file", full)
    result = run_cli("train", "pretext", "--config", config, "--data", dataset, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "no space left" in result.stderr
    assert not (tmp_path / "out" / "best").exists()
