"""The function that Ray runs for every trial: trains epoch by epoch, keeps the best, reports."""

import json
import math
import time
import traceback
from pathlib import Path
from typing import Any

import torch
from ray import tune

from ecgtune.errors import InputError, StorageError
from ecgtune.files import write_text
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
        state_seconds: the resumable state is written at most this often.
    """
    trial_id, parameters = config["trial_id"], json.loads(config["parameters"])
    folder = SweepFolder(Path(sweep)).trial(trial_id)
    origin = {"name": Path(sweep).name, "trial": trial_id}
    torch.set_num_threads(threads)
    epoch = 0
    try:
        keeper = _Keeper(folder, metric, mode, state_seconds)
        for result in job.epochs(parameters, device, keeper.resume):
            epoch = result.epoch
            if keeper.is_best(result):
                job.save(folder / "best", parameters, result, origin)
            failure = "" if _finite(result, metric) else "nan"
            tune.report(_report(result, failure))
            if failure:
                return
            # Now the driver has the epoch on disk. A state from before could be ahead of what is known.
            keeper.keep_state(result)
        keeper.drop_state()
    except StorageError as error:
        tune.report({"epoch": epoch, "failure": "storage", "message": str(error)})
    except (MemoryError, torch.OutOfMemoryError) as error:
        tune.report({"epoch": epoch, "failure": "out_of_memory", "message": _one_line(error)})
    except Exception as error:
        write_text(folder / "error.txt", traceback.format_exc())
        tune.report({"epoch": epoch, "failure": "error", "message": f"{_one_line(error)} (see {folder / 'error.txt'})"})


class _Keeper:
    """Knows the best epoch so far, also across a lost worker, and writes the resumable state now and then."""

    def __init__(self, folder: Path, metric: str, mode: Mode, state_seconds: float) -> None:
        self._state = folder / "state.pt"
        self._metric, self._mode = metric, mode
        self._best: float | None = None
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

    def is_best(self, result: EpochResult) -> bool:
        score = result.metrics[self._metric]
        if not better(score, self._best, self._mode):
            return False
        self._best = score
        return True

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


def _report(result: EpochResult, failure: str) -> dict[str, Any]:
    return {
        "epoch": result.epoch,
        "lr": result.lr,
        "epoch_seconds": result.seconds,
        "throughput": result.throughput,
        "metric_names": list(result.metrics),
        **result.metrics,
        "confusion": result.confusion.tolist(),
        "failure": failure,
    }


def _one_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
