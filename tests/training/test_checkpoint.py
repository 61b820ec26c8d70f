"""Models and states on disk: whole, checked, and never code."""

import json
from pathlib import Path

import pytest
import torch

from ecgtune.config import EncoderConfig
from ecgtune.errors import InputError, StorageError
from ecgtune.models import build_encoder
from ecgtune.training import checkpoint
from ecgtune.training.checkpoint import load_card, load_encoder, read_card, save_model
from ecgtune.training.removed import leave_note, weights


@pytest.fixture
def model(tmp_path) -> Path:
    encoder = build_encoder(EncoderConfig(batch_norm=True), torch.Generator().manual_seed(3))
    card = {"architecture": {"encoder": {"batch_norm": True}}, "stage": "pretext"}
    folder = tmp_path / "best"
    save_model(folder, encoder=encoder.state_dict(), heads={"w": torch.ones(2)}, card=card)
    return folder


def test_an_encoder_comes_back_as_it_was(model):
    encoder, card = load_encoder(model)
    expected = build_encoder(EncoderConfig(batch_norm=True), torch.Generator().manual_seed(3)).eval()
    x = torch.randn(2, 256)
    assert torch.equal(encoder(x), expected(x))
    assert not encoder.training
    assert card["stage"] == "pretext"
    assert sorted(p.name for p in model.iterdir()) == ["encoder.safetensors", "heads.safetensors", "model.json"]
    assert {path.stat().st_mode & 0o777 for path in model.iterdir()} == {0o644}


def change_card(folder: Path, **entries) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


BROKEN = {
    "no folder": (lambda folder: [p.unlink() for p in folder.iterdir()] and folder.rmdir(), "has no model.json"),
    "no card": (lambda folder: (folder / "model.json").unlink(), "has no model.json"),
    "no encoder": (lambda folder: (folder / "encoder.safetensors").unlink(), "has no encoder.safetensors"),
    "torn encoder": (lambda folder: cut(folder / "encoder.safetensors"), "encoder.safetensors is damaged"),
    "torn heads": (lambda folder: cut(folder / "heads.safetensors"), "heads.safetensors is damaged"),
    "torn card": (lambda folder: cut(folder / "model.json"), "cannot be read"),
    "card of another kind": (lambda folder: (folder / "model.json").write_text("[]"), "cannot be read"),
    "newer format": (lambda folder: change_card(folder, format=2), "format 2; this version reads format 1"),
    "other architecture": (
        lambda folder: change_card(folder, architecture={"encoder": {"batch_norm": False}}),
        "no encoder that this version can build",
    ),
    "unknown architecture": (
        lambda folder: change_card(folder, architecture={"encoder": {"depth": 9}}),
        "no encoder that this version can build",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_one_message(name, model):
    damage, message = BROKEN[name]
    damage(model)
    with pytest.raises(InputError, match=message):
        load_encoder(model)


def test_one_encoder_per_fold_is_refused(model):
    save_model(
        model, encoder={"fold0.x": torch.ones(1)}, heads={}, card={"architecture": {"encoder": {}}, "stage": "emotion"}
    )
    with pytest.raises(InputError, match="one encoder per fold"):
        load_encoder(model)


def test_a_failed_write_leaves_the_old_model(model, monkeypatch):
    before = {p.name: p.read_bytes() for p in model.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_json", full)
    with pytest.raises(StorageError, match="no space left"):
        save_model(model, encoder={"a": torch.ones(1)}, heads={}, card={})
    assert {p.name: p.read_bytes() for p in model.iterdir()} == before
    assert [p.name for p in model.parent.iterdir()] == ["best"]


def test_weights_that_were_removed_are_not_missed_unexplained(model):
    leave_note(model, "they went yesterday.")
    load_encoder(model)  # the note alone removes nothing
    for file in weights(model):
        file.unlink()
    for read in (load_card, load_encoder):
        with pytest.raises(InputError, match=f"{model} holds a card and no model: they went yesterday"):
            read(model)
    assert read_card(model)["stage"] == "pretext"
