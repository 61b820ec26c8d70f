"""Model folders of both stages, and the predictions beside them."""

import json

import torch
from safetensors.torch import load_file

from ecgtune.config import EmotionConfig, configure, parameters
from ecgtune.training.checkpoint import load_encoder
from ecgtune.training.finetune import finetune
from ecgtune.training.predictions import read_predictions, write_predictions
from ecgtune.training.save import save_emotion


def test_a_pretext_card(pretext_model, make_dataset, small_pretext):
    card = json.loads((pretext_model() / "model.json").read_text())
    dataset = make_dataset("other", subjects=2, per_class=1)
    assert card["stage"] == "pretext"
    assert card["architecture"]["encoder"]["pool_stride"] == 8
    assert card["architecture"]["heads"]["hidden"] == 16
    assert card["parameters"] == parameters(small_pretext())
    assert card["preprocessing"] == {"sfreq": 256.0, "n_times": 256, "preparation": {"highpass": 0.8}}
    assert card["data"] == [
        {"name": "other", "folder": dataset.folder.name, "fingerprint": dataset.fingerprint, "n_windows": 8}
    ]
    people = card["subjects"]
    assert sorted(people["train"] + people["val"]) == ["other:p0", "other:p1"]
    assert people["held_out"] == []
    assert (card["epoch"], card["seed"], card["transductive"]) == (1, 0, False)
    assert card["training"] == {"micro_batch": 4}
    assert {"ecgtune", "torch"} <= set(card["versions"])
    assert "val_loss" in card["metrics"]


def test_an_emotion_model(emotion, tmp_path):
    data = emotion(folds=3)
    config = configure(EmotionConfig, {"emotion/features": "standardised"}, where="test")
    result = next(finetune(config, data, epochs=1, seed=4))
    save_emotion(tmp_path / "best", config, data, result, seed=4)
    encoder, card = load_encoder(tmp_path / "best")
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), data.encoder.parameters(), strict=True))
    assert card["stage"] == "emotion"
    assert card["architecture"]["heads"]["pooling"] == "max"
    assert card["target"] == {"name": "arousal", "threshold": 0.5, "description": "0 or 1"}
    assert card["pretext"]["subjects"] == data.card["subjects"]
    assert card["subjects"]["val"] == list(data.validated)
    heads = load_file(tmp_path / "best" / "heads.safetensors")
    assert {name.split(".")[0] for name in heads} == {"fold0", "fold1", "fold2"}


def test_predictions_name_row_person_truth_and_fold(emotion, tmp_path, make_dataset):
    data = emotion(folds=3)
    result = next(finetune(EmotionConfig(), data, epochs=1, seed=4))
    write_predictions(tmp_path / "predictions.csv", data, result.snapshot().predictions)
    table = read_predictions(tmp_path / "predictions.csv")
    assert list(table.columns) == ["row", "person", "truth", "probability", "fold"]
    assert len(table) == len(data.classes)
    assert table["probability"].between(0, 1).all()
    assert list(table["person"]) == list(data.dataset.persons[table["row"]])
    assert list(table["truth"]) == list(data.dataset.labels[table["row"], 0])
    assert table.groupby("person")["fold"].nunique().eq(1).all()
    assert set(table["fold"]) == {1, 2, 3}
