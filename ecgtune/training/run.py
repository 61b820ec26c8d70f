"""A single run of either stage, recorded in a folder.

best/             the model of the best epoch
epochs.csv        one row per epoch
predictions.csv   emotion stage: the out-of-fold predictions of the best epoch
config.toml       the run's configuration, everything explicit; `ecgtune train --config` takes it
"""

import csv
import fcntl
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import numpy as np
import tomli_w

from ecgtune.config import EmotionConfig, PretextConfig, parameters
from ecgtune.convolution_path import ConvolutionPath
from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import Split, choose_held_out, pretext_split
from ecgtune.data.store import load_dataset
from ecgtune.errors import EcgtuneError, InputError
from ecgtune.files import storage_errors, write_text
from ecgtune.training.checkpoint import load_card
from ecgtune.training.emotion_data import EmotionData, emotion_data, seen_by
from ecgtune.training.loop import Progress
from ecgtune.training.result import EpochResult
from ecgtune.training.run_file import EmotionRun, PretextRun

# The metric that picks the best epoch of a stage, and whether it is to be large.
BEST = {"pretext": ("val_loss", False), "emotion": ("val_balanced_accuracy", True)}
CONFIG, EPOCHS = "config.toml", "epochs.csv"
_FOLDS = 5


def open_pretext(run: PretextRun) -> tuple[WindowPool, Split]:
    """The windows of a pretext run, and their split by person.

    Raises:
        InputError: no data set was given, or one cannot be used.
    """
    if not run.data:
        raise InputError("which data? Name a data-set folder with --data, or in the configuration's [run] table.")
    datasets = [load_dataset(Path(folder)) for folder in run.data]
    held_out: set[str] = set()
    for dataset in datasets:
        if dataset.targets:
            held_out |= set(choose_held_out(set(dataset.persons.tolist()), run.hold_out, run.seed))
    pool = WindowPool(datasets)
    return pool, pretext_split(pool.persons, val_fraction=run.val_fraction, held_out=held_out, seed=run.seed)


def open_emotion(
    run: EmotionRun,
    *,
    cache: Path | None = None,
    path: ConvolutionPath = "direct",
    progress: Progress | None = None,
) -> EmotionData:
    """The embeddings, classes and folds of an emotion run.

    Raises:
        InputError: data or model were not given, or cannot be used.
    """
    for name, value, what in (("--data", run.data, "data set"), ("--pretext", run.pretext, "pretext model")):
        if not value:
            raise InputError(f"which {what}? Name its folder with {name}, or in the configuration's [run] table.")
    dataset, model = load_dataset(Path(run.data)), Path(run.pretext)
    folds = run.folds
    if not folds:
        _, scores = dataset.target(run.target or None)
        people = set(dataset.persons[dataset.good & ~np.isnan(scores)].tolist())
        unseen = people if run.transductive else people - seen_by(load_card(model))
        folds = min(_FOLDS, len(unseen)) if len(unseen) >= 2 else _FOLDS
    return emotion_data(
        dataset,
        model,
        target=run.target or None,
        threshold=run.threshold,
        n_folds=folds,
        seed=run.seed,
        transductive=run.transductive,
        cache=cache,
        path=path,
        progress=progress,
    )


def record(
    results: Iterator[EpochResult],
    out: Path,
    *,
    stage: str,
    save: Callable[[Path, EpochResult], None],
    on_epoch: Callable[[EpochResult, bool], None],
) -> EpochResult:
    """Run through all epochs; write each one's row, and save the best.

    Args:
        results: from `pretrain` or `finetune`.
        out: the run's folder.
        stage: `pretext` or `emotion`.
        save: writes one epoch below `out`.
        on_epoch: told each epoch, and whether it is the best so far.

    Returns:
        The best epoch.

    Raises:
        EcgtuneError: the loss is no longer a finite number; what was best before is kept.
    """
    metric, large = BEST[stage]
    best: EpochResult | None = None
    with _rows(out / EPOCHS) as write:
        for result in results:
            write(result)
            score = result.metrics[metric] if large else -result.metrics[metric]
            better = not math.isnan(score) and (best is None or score > (1 if large else -1) * best.metrics[metric])
            if better:
                best = result
                save(out, result)
            on_epoch(result, better)
            if math.isnan(result.metrics["train_loss"]) or math.isnan(result.metrics["val_loss"]):
                kept = f" The best epoch, {best.epoch}, is kept in {out / 'best'}." if best else ""
                raise EcgtuneError(
                    f"the loss is not a finite number in epoch {result.epoch}, so training was stopped.{kept} "
                    "Try a lower learning rate."
                )
    if best is None:
        raise EcgtuneError(f"no epoch gave a {metric}.")
    return best


def is_without_epochs(out: Path) -> bool:
    """Whether all that a folder holds is what a run leaves that ended in its first epoch."""
    table = out / EPOCHS
    try:
        if {each.name for each in out.iterdir()} - {CONFIG, EPOCHS} or table.stat().st_size:
            return False
        with table.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def write_config(path: Path, run: PretextRun | EmotionRun, config: PretextConfig | EmotionConfig) -> None:
    """Write a run's configuration as a file that can be run again.

    Raises:
        StorageError: the disk refused the write.
    """
    settings = {key: value for key, value in asdict(run).items() if value is not None}
    write_text(path, tomli_w.dumps({"run": settings, "parameters": parameters(config)}))


@contextmanager
def _rows(path: Path) -> Iterator[Callable[[EpochResult], None]]:
    """A CSV file that gets one row per epoch, each handed to the system at once."""
    with storage_errors(path.parent):
        with storage_errors(path.parent, making=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("w", newline="", encoding="utf-8")
        with file:
            # Tells `is_without_epochs` that somebody is at work; where a disk knows no locks, nobody is told.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield lambda result: _write_row(file, result)


def _write_row(file: TextIO, result: EpochResult) -> None:
    row = {"epoch": result.epoch, "lr": result.lr, **result.metrics}
    row |= {"seconds": round(result.seconds, 3), "throughput": round(result.throughput, 1)}
    writer = csv.DictWriter(file, list(row), lineterminator="\n")
    if file.tell() == 0:
        writer.writeheader()
    writer.writerow(row)
    file.flush()
