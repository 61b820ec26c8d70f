"""Encoders with random weights, kept per seed and source model."""

import pytest
import torch

from ecgtune.config import EncoderConfig
from ecgtune.models import build_encoder
from ecgtune.training.checkpoint import load_card, load_encoder, save_model
from ecgtune.training.random_encoder import random_encoder

ARCHITECTURE = {"pool_stride": 8, "activation": "leaky_relu", "batch_norm": False, "pooling": "max"}
PEOPLE = {"train": ["set:1"], "val": ["set:2"], "held_out": ["set:3"]}


@pytest.fixture
def source(tmp_path):
    """Save a pretext model; keywords replace entries of its card."""

    def make(name="source", **entries):
        encoder = build_encoder(EncoderConfig(**ARCHITECTURE), torch.Generator().manual_seed(9))
        card = {
            "stage": "pretext",
            "architecture": {"encoder": ARCHITECTURE, "heads": {}},
            "preprocessing": {"sfreq": 256.0},
            "subjects": PEOPLE,
        }
        save_model(tmp_path / name, encoder=encoder.state_dict(), heads={}, card=card | entries)
        return tmp_path / name

    return make


def test_made_once_with_weights_of_its_own(source, tmp_path):
    model = source()
    folder = random_encoder(model, 1, tmp_path / "cache")
    written = (folder / "model.json").stat().st_mtime_ns
    assert random_encoder(model, 1, tmp_path / "cache") == folder
    assert (folder / "model.json").stat().st_mtime_ns == written
    (encoder, card), (trained, _) = load_encoder(folder), load_encoder(model)
    assert (card["stage"], card["random_weights"], card["subjects"]) == ("pretext", True, PEOPLE)
    other, _ = load_encoder(random_encoder(model, 2, tmp_path / "cache"))
    first = [next(iter(e.parameters())) for e in (encoder, trained, other)]
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])


@pytest.mark.parametrize(
    "entries",
    [{"subjects": PEOPLE | {"train": ["set:3"], "held_out": ["set:1"]}}, {"preprocessing": {"sfreq": 128.0}}],
    ids=["other people", "other preprocessing"],
)
def test_models_of_one_architecture_do_not_share_what_they_have_seen(source, tmp_path, entries):
    one, other = source("one"), source("other", **entries)
    folders = [random_encoder(model, 1, tmp_path / "cache") for model in (one, other)]
    assert folders[0] != folders[1]
    for model, folder in zip((one, other), folders, strict=True):
        for entry in ("subjects", "preprocessing"):
            assert load_card(folder)[entry] == load_card(model)[entry]


def test_what_else_a_card_says_does_not_matter(source, tmp_path):
    one, other = source("one", epoch=3), source("other", epoch=4)
    assert random_encoder(one, 1, tmp_path / "cache") == random_encoder(other, 1, tmp_path / "cache")
