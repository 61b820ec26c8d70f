"""A small data set on disk, and the smallest sensible pretext run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgtune.config import PretextConfig, configure
from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import Split, pretext_split
from ecgtune.data.store import DatasetWriter, Target, WindowDataset, load_dataset
from ecgtune.training.emotion_data import EmotionData, emotion_data
from ecgtune.training.pretrain import pretrain
from ecgtune.training.save import save_pretext

N_TIMES = 256


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def wave(rng: np.random.Generator, n: int, rate: float) -> np.ndarray:
    """[n, N_TIMES] skewed bumps at `rate` per window, at random phases, and a little noise."""
    time = np.linspace(0, 1, N_TIMES, endpoint=False)
    phase = (rate * time + rng.random((n, 1))) % 1.0
    bump = np.exp(-(((phase - 0.3) / 0.05) ** 2)) - 0.4 * np.exp(-(((phase - 0.45) / 0.08) ** 2))
    return (bump + 0.02 * rng.standard_normal((n, N_TIMES))).astype(np.float32)


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., WindowDataset]:
    """Write a data set: every person has windows with score 0 (slow bumps) and score 1 (fast ones)."""

    def make(name: str = "toy", subjects: int = 6, per_class: int = 6, bad: int = 0, unrated: int = 0) -> WindowDataset:
        folder = tmp_path / f"{name}-{subjects}-{per_class}-{bad}-{unrated}"
        if folder.exists():
            return load_dataset(folder)
        folder.mkdir()
        rng = np.random.default_rng(0)
        writer = DatasetWriter(folder, name, N_TIMES, [Target("arousal", 0.5, "0 or 1"), Target("valence", 0.5)])

        def add(subject: str, n: int, rate: float, labels: dict[str, float], kind: str, quality: str) -> None:
            row = {"subject": subject, "stimulus": "s", "lead": "ecg", "start": 0.0, "kind": kind, "quality": quality}
            writer.add(wave(rng, n, rate), [row] * n, labels)

        for number in range(subjects):
            subject = f"p{number}"
            add(subject, 2, 3.0, {}, "baseline", "")
            for score in (0.0, 1.0):
                add(subject, per_class, 3.0 + 4.0 * score, {"arousal": score, "valence": 0.0}, "stimulus", "")
            if bad:
                add(subject, bad, 3.0, {"arousal": 0.0, "valence": 0.0}, "stimulus", "flat")
            if unrated:
                add(subject, unrated, 3.0, {"arousal": float("nan"), "valence": 0.0}, "stimulus", "")
        writer.finish(sfreq=256.0, details={"preparation": {"highpass": 0.8}})
        return load_dataset(folder)

    return make


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
