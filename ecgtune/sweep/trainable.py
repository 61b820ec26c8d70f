"""The function that Ray runs for every trial: trains epoch by epoch, keeps the best, reports in blocks."""

import gc
import json
import math
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch
from ray import tune

from ecgtune.errors import StorageError
from ecgtune.files import write_text
from ecgtune.sweep.block import Block, EpochReport
from ecgtune.sweep.job import Job
from ecgtune.sweep.keeper import Keeper
from ecgtune.sweep.shortage import TRIES, last_shortage, note_shortage, shortages
from ecgtune.sweep.trial import Mode
from ecgtune.sweep.trial_store import LocalTrials, TrialStore
from ecgtune.training.collapse import CollapseWatch
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
    may_pause: bool,
    block_seconds: float,
    state_seconds: float,
    trials: TrialStore | None = None,
) -> None:
    """Train one configuration, or go on where another worker left it.

    Args:
        config: `trial_id`, and `parameters` as JSON.
        job: what to train on.
        sweep: the sweep's folder.
        metric: the metric that makes an epoch the best.
        mode: whether it is to be small or large.
        threads: for PyTorch.
        device: `cpu` or `cuda`.
        milestones: epochs at which the scheduler may stop or pause the trial.
        may_pause: whether the scheduler pauses trials, so that each milestone needs a state.
        block_seconds: epochs are reported at least this often.
        state_seconds: the resumable state is written at most this often, milestones left aside.
        trials: where the trial's files lie; None means in the sweep's folder.
    """
    trial_id, parameters = config["trial_id"], json.loads(config["parameters"])
    trials = trials or LocalTrials(Path(sweep))
    origin = {"name": Path(sweep).name, "trial": trial_id}
    torch.set_num_threads(threads)
    block = Block({*milestones, job.max_epochs}, block_seconds)

    told: list[EpochReport] = []

    def report(failure: str = "", message: str = "") -> None:
        trials.keep(trial_id)
        epochs = block.take()
        if trials.may_forget:
            told.extend(epochs)
        tune.report(_report(epochs, metric, failure, message))

    def train() -> tuple[str, str]:
        """Train to the end; gives why it ended before, if it did."""
        keeper = Keeper(folder, metric, mode, lambda best: job.save(folder / "best", parameters, best, origin))
        if keeper.untold or keeper.warning:
            tune.report(_report(keeper.untold, metric, warning=keeper.warning))
        if trials.may_forget:
            told[:] = keeper.untold
        watch = CollapseWatch(job.symptom, keeper.collapse)
        try:
            for result in job.epochs(parameters, device, keeper.resume, halved=shortages(folder) > 0):
                keeper.see(result)
                block.add(result)
                if not _finite(result, metric):
                    return "nan", ""
                collapse = watch.see(result)
                if collapse:
                    return "collapsed", collapse
                due = block.due
                aged = keeper.seconds_since_state >= state_seconds
                if due or aged:
                    # The model first: whatever epoch the driver knows to be a trial's best, its model is on disk.
                    keeper.save_best()
                if aged or (due and may_pause and result.epoch in milestones):
                    keeper.keep_state(result, [*told, *block.epochs], watch.memory)
                    trials.keep(trial_id)
                if due:
                    report()
        finally:
            keeper.save_best()
        return "", ""

    try:
        folder = trials.take_up(trial_id, config["parameters"])
        failure, message = _twice(train, folder, report)
        if failure == "error":
            message += f" (see {trials.place(trial_id, 'error.txt')})"
        if failure or block.epochs:
            report(failure, message)
    except StorageError as error:
        block.take()
        tune.report(_report([], metric, "storage", str(error)))


def _twice(train: Callable[[], tuple[str, str]], folder: Path, report: Callable[[], None]) -> tuple[str, str]:
    """Train, and once more where memory runs out; gives why it failed, if it did."""
    while shortages(folder) < TRIES:
        try:
            return train()
        except StorageError:
            raise
        except (MemoryError, torch.OutOfMemoryError) as error:
            short = _one_line(error)
        except Exception as error:
            write_text(folder / "error.txt", traceback.format_exc())
            return "error", _one_line(error)
        # Here the handler is left, whose traceback holds on to what filled the memory.
        if note_shortage(folder, short) < TRIES:
            report()
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    return "out_of_memory", last_shortage(folder)


def _finite(result: EpochResult, metric: str) -> bool:
    return math.isfinite(result.metrics[metric]) and math.isfinite(result.metrics["train_loss"])


def _report(
    epochs: list[EpochReport], metric: str, failure: str = "", message: str = "", warning: str = ""
) -> dict[str, Any]:
    """The last epoch and its score for Ray, all of the block's epochs for the scheduler and the record."""
    last = {"epoch": epochs[-1].epoch, metric: epochs[-1].metrics[metric]} if epochs else {"epoch": 0}
    return {**last, "epochs": epochs, "failure": failure, "message": message, "warning": warning}


def _one_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
