"""The smallest sensible runs of both stages, on the small data set of `make_dataset`."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ecgtune.config import PretextConfig, configure
from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import Split, pretext_split
from ecgtune.data.store import WindowDataset
from ecgtune.training.emotion_data import EmotionData, emotion_data
from ecgtune.training.pretrain import pretrain
from ecgtune.training.save import save_pretext


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def fused_sizes(monkeypatch) -> list[int]:
    """How many views or windows each fused pass has; none is compiled."""
    sizes: list[int] = []

    def fused(way, _path):
        return lambda encoder, x: (sizes.append(len(x)), way(encoder, x))[1]

    monkeypatch.setattr("ecgtune.models.encoder.fused", fused)
    return sizes


@pytest.fixture
def pool(make_dataset) -> WindowPool:
    return WindowPool([make_dataset(subjects=4, per_class=2)])


@pytest.fixture
def split(pool) -> Split:
    return pretext_split(pool.persons, val_fraction=0.34, held_out=["toy:p0"], seed=0)


def pretext_config(**given) -> PretextConfig:
    """A small configuration; keywords name parameters with `__` for the slash."""
    small = {"pretext/batch_size": 8, "pretext/encoder/pool_stride": 8, "pretext/head/hidden": 16}
    named = {"pretext/" + name.replace("__", "/"): value for name, value in given.items()}
    return configure(PretextConfig, small | named, where="test")


@pytest.fixture
def small_pretext() -> Callable[..., PretextConfig]:
    return pretext_config


@pytest.fixture
def pretext_model(tmp_path, make_dataset) -> Callable[..., Path]:
    """Train a pretext model for one tiny epoch and save it; by default on other people than `make_dataset()` has."""

    def make(config: PretextConfig | None = None, on: WindowDataset | None = None, split: Split | None = None) -> Path:
        own = WindowPool([on or make_dataset("other", subjects=2, per_class=1)])
        chosen = split or pretext_split(own.persons, val_fraction=0.5, held_out=(), seed=0)
        config = config or pretext_config()
        result = next(pretrain(config, own, chosen, epochs=1, seed=0))
        folder = tmp_path / f"model-{len(list(tmp_path.glob('model-*')))}"
        save_pretext(folder, config, own, chosen, result, seed=0)
        return folder

    return make


@pytest.fixture
def emotion(tmp_path, make_dataset, pretext_model) -> Callable[..., EmotionData]:
    """The small data set as an encoder that has not seen its people sees it."""

    def make(folds: int = 3, **given) -> EmotionData:
        options = {"target": None, "threshold": None, "n_folds": folds, "seed": 0, "transductive": False}
        dataset = given.pop("dataset", None) or make_dataset(subjects=6, per_class=5)
        model = given.pop("model", None) or pretext_model()
        return emotion_data(dataset, model, cache=tmp_path / "cache", **(options | given))

    return make
