"""What `scale.py` measures: functions from a size to {quantity: seconds or bytes}."""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import torch
from common import fastest
from generated import generated_dataset

from ecgtune.config import EmotionConfig, EncoderConfig, PretextConfig
from ecgtune.data.overview import overview_of
from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import Split, pretext_split, subject_folds
from ecgtune.data.store import load_dataset
from ecgtune.models import build_encoder
from ecgtune.space import Categorical, Float, SearchSpace, SweepSettings
from ecgtune.sweep.block import EpochReport
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.record import SweepRecord
from ecgtune.sweep.study import SweepStudy
from ecgtune.sweep.tensorboard import SweepBoard
from ecgtune.training.embed import summaries
from ecgtune.training.emotion_data import EmotionData
from ecgtune.training.finetune import finetune
from ecgtune.training.path import choose_path
from ecgtune.training.pretrain import pretrain

FOLDS, EPOCHS = 5, 5


class Silent:
    """An observer that shows nothing."""

    def __getattr__(self, name):
        return lambda *given, **more: None


def of_data(folder, n_windows, people, seconds):
    """A data set of so many windows and people, and all that handles it as a whole."""
    begun = time.perf_counter()
    dataset = generated_dataset(folder, n_windows, people)
    found = {"writing, s": time.perf_counter() - begun}
    pool = WindowPool([dataset])
    classes = (dataset.labels[:, 0] > 0.5).astype(np.int64)
    draw = np.random.default_rng(0)

    def opened():
        # Nothing of it is cached: a data set that is read again counts its people again.
        return WindowPool([load_dataset(folder)]).persons

    def folds(n_folds):
        return subject_folds(pool.persons, classes, n_folds=n_folds, seed=0)

    timed = {
        "opening and indexing, s": opened,
        "pretext split, s": lambda: pretext_split(pool.persons, val_fraction=0.2, held_out=(), seed=0),
        "five folds, s": lambda: folds(FOLDS),
        "overview, s": lambda: overview_of(dataset),
        "reading 64 windows at random, s": lambda: pool.take(draw.integers(0, len(pool), 64)),
    }
    found |= {name: fastest(call, seconds) for name, call in timed.items()}
    begun = time.perf_counter()
    folds(people)
    found["a fold per person, s"] = time.perf_counter() - begun
    tracemalloc.start()
    opened()
    found["opened, peak bytes"] = float(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    found["pretext epoch of 16 windows, s"] = pretext_epoch(pool)
    return found | emotion_epoch(dataset, classes)


def pretext_epoch(pool):
    """Seconds of the faster of two epochs on 16 windows drawn from all; only 2 windows are validated on."""
    split = pretext_split(pool.persons, val_fraction=0.2, held_out=(), seed=0)
    few = Split(split.train, split.val[:2])
    config = PretextConfig(windows_per_epoch=16, encoder=EncoderConfig(pool_stride=8))
    results = pretrain(config, pool, few, epochs=2, seed=0, path=choose_path(None, "cpu"))
    return min(result.seconds for result in results)


def emotion_epoch(dataset, classes):
    """Seconds of the start, and of the faster of two epochs of five folds; what the features say does not matter."""
    features = np.random.default_rng(0).standard_normal((len(classes), 3 * 128), dtype=np.float32)
    data = EmotionData(
        summaries=features,
        classes=classes,
        persons=dataset.persons,
        rows=np.arange(len(classes)),
        folds=subject_folds(dataset.persons, classes, n_folds=FOLDS, seed=0),
        dataset=dataset,
        encoder=build_encoder(EncoderConfig(), torch.Generator().manual_seed(0)),
        card={},
        target=dataset.targets[0],
        threshold=0.5,
    )
    begun = time.perf_counter()
    results = finetune(EmotionConfig(features="person"), data, epochs=2, seed=0)
    started = time.perf_counter() - begun
    return {"emotion start, s": started, "emotion epoch, s": min(result.seconds for result in results)}


def of_embedding(folder, n_windows):
    """Embedding every window of a data set once."""
    dataset, config = generated_dataset(folder, n_windows, 2), EncoderConfig(pool_stride=8)
    encoder = build_encoder(config, torch.Generator().manual_seed(0))
    times = []
    for number in range(2):
        begun = time.perf_counter()
        summaries(encoder, config, dataset, cache=folder / f"cache-{number}")
        times.append(time.perf_counter() - begun)
    return {"embedding, s": min(times)}


def of_trials(folder, n_trials, searcher):
    """Trials that cost nothing, through the study and the record: handed out, five epochs reported, finished."""
    folder.mkdir(parents=True)
    sweep = SweepFolder(folder)
    settings = SweepSettings(
        "emotion", "val_loss", "min", num_samples=n_trials, max_epochs=EPOCHS, searcher=searcher, scheduler="asha"
    )
    parameters = (
        Float("emotion/adam/lr", 1e-4, 1e-2, log=True),
        Float("emotion/head/dropout", 0.0, 0.6),
        Categorical("emotion/batch_size", (32, 64, 128)),
    )
    space = SearchSpace(Path("scale.toml"), "", settings, parameters, {})
    spent = {"handing out": 0.0, "recording": 0.0}

    def opened():
        study = SweepStudy(sweep.study, space, num_samples=n_trials, seed=0)
        board = SweepBoard(sweep.tensorboard, parameters, ["val_loss"])
        return study, SweepRecord(sweep, space, study, board, Silent(), classes=("0", "1"), max_epochs=EPOCHS)

    (study, record), begun = opened(), time.perf_counter()
    while (following := study.ask()) is not None:
        spent["handing out"] += time.perf_counter() - begun
        begun = time.perf_counter()
        trial_id, given = following
        record.started(trial_id, given)
        # The first trial is the best: no model is there to be promoted, which is not what is measured.
        score = given["emotion/adam/lr"] + int(trial_id)
        reports = [
            EpochReport(epoch, 1e-3, {"val_loss": score, "train_loss": score}, 0.0, 1.0, [[1, 0], [0, 1]])
            for epoch in range(1, EPOCHS + 1)
        ]
        record.report(trial_id, {"epochs": reports, "failure": "", "message": "", "warning": ""})
        record.finished(trial_id)
        spent["recording"] += time.perf_counter() - begun
        begun = time.perf_counter()
    record.close()
    begun = time.perf_counter()
    _, again = opened()
    again.restore()
    resuming = time.perf_counter() - begun
    again.close()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {
        f"handing out ({searcher}), s": spent["handing out"],
        f"recording ({searcher}), s": spent["recording"],
        f"resuming ({searcher}), s": resuming,
        f"on disk ({searcher}), bytes": float(size),
    }
