"""The function that Ray runs for every trial: trains epoch by epoch, keeps the best, reports in blocks."""

import json
import math
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from ray import tune

from ecgtune.errors import InputError, StorageError
from ecgtune.files import write_text
from ecgtune.sweep.block import Block
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.job import Job
from ecgtune.sweep.trial import Mode, better
from ecgtune.training.checkpoint import load_state, save_state
from ecgtune.training.result import EpochResult


def run_trial(
    config: dict[str, Any],
    *,
    job: Job,
    sweep: str,
    metric: str,
    mode: Mode,
    threads: int,
    device: str,
    milestones: Collection[int],
    block_seconds: float,
    state_seconds: float,
) -> None:
    """Train one configuration.

    Args:
        config: `trial_id`, and `parameters` as JSON.
        job: what to train on.
        sweep: the sweep's folder.
        metric: the metric that makes an epoch the best.
        mode: whether it is to be small or large.
        threads: for PyTorch.
        device: `cpu` or `cuda`.
        milestones: epochs at which the scheduler may stop the trial.
        block_seconds: epochs are reported at least this often.
        state_seconds: the resumable state is written at most this often.
    """
    trial_id, parameters = config["trial_id"], json.loads(config["parameters"])
    folder = SweepFolder(Path(sweep)).trial(trial_id)
    origin = {"name": Path(sweep).name, "trial": trial_id}
    torch.set_num_threads(threads)
    block = Block({*milestones, job.max_epochs}, block_seconds)
    epoch, failure, message = 0, "", ""
    try:
        keeper = _Keeper(
            folder, metric, mode, state_seconds, lambda best: job.save(folder / "best", parameters, best, origin)
        )

        def report() -> None:
            # The model first: whatever epoch the driver knows to be a trial's best, its model is on disk.
            keeper.save_best()
            tune.report(_report(epoch, block, metric, failure, message))

        try:
            for result in job.epochs(parameters, device, keeper.resume):
                epoch = result.epoch
                keeper.see(result)
                block.add(result)
                if not _finite(result, metric):
                    failure = "nan"
                    break
                if block.due:
                    report()
                    # Now the driver has the epochs on disk. A state from before could be ahead of what is known.
                    keeper.keep_state(result)
        except StorageError:
            raise
        except (MemoryError, torch.OutOfMemoryError) as error:
            failure, message = "out_of_memory", _one_line(error)
        except Exception as error:
            write_text(folder / "error.txt", traceback.format_exc())
            failure, message = "error", f"{_one_line(error)} (see {folder / 'error.txt'})"
        if failure or block.epochs:
            report()
        keeper.drop_state()
    except StorageError as error:
        tune.report({"epoch": epoch, "epochs": [], "failure": "storage", "message": str(error)})


class _Keeper:
    """Keeps the best epoch so far, also across a lost worker, and writes the resumable state now and then."""

    def __init__(
        self, folder: Path, metric: str, mode: Mode, state_seconds: float, save: Callable[[EpochResult], None]
    ) -> None:
        self._state = folder / "state.pt"
        self._metric, self._mode, self._save = metric, mode, save
        self._best: float | None = None
        self._unsaved: EpochResult | None = None
        self._state_seconds = state_seconds
        self._written = time.monotonic()
        self.resume: dict[str, Any] | None = None
        try:
            state = load_state(self._state)
        except InputError:
            state = None
        if state is not None:
            self._best, self.resume = state["best"], state["training"]
        else:
            # A worker before this one may have saved a better epoch than the first ones, which are repeated now.
            self._best = saved_score(folder / "best", metric)

    def see(self, result: EpochResult) -> None:
        """Hold a copy of an epoch that is the best so far; call it before the training goes on."""
        score = result.metrics[self._metric]
        if better(score, self._best, self._mode):
            self._best = score
            snapshot = result.snapshot()
            self._unsaved = replace(result, snapshot=lambda: snapshot)

    def save_best(self) -> None:
        """Write the best epoch's model, if it is not on disk yet."""
        if self._unsaved is not None:
            self._save(self._unsaved)
            self._unsaved = None

    def keep_state(self, result: EpochResult) -> None:
        if time.monotonic() - self._written >= self._state_seconds:
            save_state(self._state, {"best": self._best, "training": result.snapshot().resume})
            self._written = time.monotonic()

    def drop_state(self) -> None:
        self._state.unlink(missing_ok=True)


def saved_score(model: Path, metric: str) -> float | None:
    """The score of a model on disk, or None where there is none."""
    try:
        score = json.loads((model / "model.json").read_text(encoding="utf-8"))["metrics"][metric]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if score is None else float(score)


def _finite(result: EpochResult, metric: str) -> bool:
    return math.isfinite(result.metrics[metric]) and math.isfinite(result.metrics["train_loss"])


def _report(epoch: int, block: Block, metric: str, failure: str, message: str) -> dict[str, Any]:
    """The last epoch and its score for Ray and the scheduler, all of the block's epochs for the record."""
    epochs = block.take()
    last = {metric: epochs[-1].metrics[metric]} if epochs else {}
    return {"epoch": epoch, **last, "epochs": epochs, "failure": failure, "message": message}


def _one_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
