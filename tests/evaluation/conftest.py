"""Small emotion sweeps on disk, made without Ray: a data set with beats, an encoder, and a few trials of an epoch."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgtune.config import EncoderConfig
from ecgtune.data.store import DatasetWriter, Target
from ecgtune.models import build_encoder
from ecgtune.space import Float, SearchSpace, SweepSettings
from ecgtune.sweep.emotion_job import open_emotion
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.plan import Resources, definition
from ecgtune.sweep.planning import plan_emotion
from ecgtune.training.checkpoint import save_model

SFREQ, N_TIMES, PEOPLE = 128.0, 768, 5
ENCODER = {"pool_stride": 8, "activation": "leaky_relu", "batch_norm": False, "pooling": "max"}


def heartbeat(rate: float, rng: np.random.Generator) -> np.ndarray:
    times = np.arange(N_TIMES) / SFREQ
    signal = 0.02 * rng.normal(size=N_TIMES)
    for beat in np.arange(0.3, times[-1], 60 / rate):
        signal += np.exp(-(((times - beat) / 0.012) ** 2)) + 0.2 * np.exp(-(((times - beat - 0.25) / 0.05) ** 2))
    return signal.astype(np.float32)


def write_dataset(folder: Path, seed: int = 0) -> Path:
    """Faster hearts in arousal; valence has the same classes but for one window of each person."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    writer = DatasetWriter(folder, "hearts", N_TIMES, [Target("arousal", 3.0), Target("valence", 3.0)])
    for person in range(PEOPLE):
        for number in range(6):
            high = number % 2
            row = {"subject": f"p{person}", "stimulus": "s", "lead": "ecg", "start": 0.0, "kind": "stimulus"}
            labels = {"arousal": 1.0 + 3.0 * high, "valence": 1.0 + 3.0 * (high if number else 1)}
            rate = 65 + 20 * high + 5 * rng.normal()
            writer.add(heartbeat(rate, rng)[None], [row | {"quality": ""}], labels)
    writer.finish(sfreq=SFREQ, details={"preparation": {}})
    return folder


def write_encoder(folder: Path, seed: int = 0, subjects: tuple[str, ...] = (), **entries) -> Path:
    """A pretext model that has seen `subjects`."""
    encoder = build_encoder(EncoderConfig(**ENCODER), torch.Generator().manual_seed(seed))
    card = {
        "stage": "pretext",
        "architecture": {"encoder": ENCODER, "heads": {}},
        "preprocessing": {"sfreq": SFREQ},
        "subjects": {"train": list(subjects), "val": [], "held_out": []},
        "sweep": {"name": "first", "trial": "00001"},
    }
    save_model(folder, encoder=encoder.state_dict(), heads={}, card=card | entries)
    return folder


@dataclass(frozen=True)
class Workshop:
    """A project folder with a data set and a pretext model, in which sweeps are made."""

    place: Path

    @property
    def data(self) -> Path:
        return self.place / "hearts"

    @property
    def model(self) -> Path:
        return self.place / "results" / "first" / "best"

    def sweep(self, name="emotion", trials=({}, {"emotion/features": "person"}), best=0, settings=None, **given):
        """Write an emotion sweep of a few one-epoch trials; `given` goes to `plan_emotion`."""
        own = {"metric": "val_balanced_accuracy", "mode": "max", "max_epochs": 1, "folds": 2} | (settings or {})
        space = SearchSpace(
            path=Path("space.toml"),
            question="",
            settings=SweepSettings(stage="emotion", **own),
            parameters=(Float("emotion/adam/lr", 1e-4, 1e-1, log=True),),
            fixed={},
        )
        options = {"target": "arousal", "threshold": None, "transductive": False, "fewer_folds": False}
        folder = SweepFolder(self.place / "results" / name)
        plan = plan_emotion(folder, space, self.data, self.model, Resources(), **(options | given))
        folder.path.mkdir(parents=True)
        folder.write(definition(plan))
        for number, parameters in enumerate(trials):
            (result,) = plan.job.epochs(parameters, "cpu", None)
            trial = f"{number:05d}"
            plan.job.save(folder.trial(trial) / "best", parameters, result, {"name": name, "trial": trial})
        shutil.copytree(folder.trial(f"{best:05d}") / "best", folder.best)
        return folder


@pytest.fixture(scope="session")
def bare_workshop(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("workshop")
    write_dataset(place / "hearts")
    write_encoder(place / "results" / "first" / "best")
    return place


@pytest.fixture
def workshop(tmp_path, bare_workshop, monkeypatch) -> Workshop:
    torch.set_num_threads(1)
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "cache"))
    open_emotion.cache_clear()
    shutil.copytree(bare_workshop, tmp_path / "project")
    return Workshop(tmp_path / "project")
