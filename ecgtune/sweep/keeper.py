"""What a worker keeps of its trial on disk: the best model so far, and a state from which another worker can go on."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ecgtune.files import recover_folder
from ecgtune.sweep.block import EpochReport
from ecgtune.sweep.trial import Mode, better
from ecgtune.training.result import EpochResult
from ecgtune.training.state import newest_state, save_state

STATE = "state.pt"


class Keeper:
    """Keeps the best epoch so far, also across a lost worker, and writes the resumable state now and then.

    Args:
        folder: the trial's.
        metric: the metric that makes an epoch the best.
        mode: whether it is to be small or large.
        save: writes the model of an epoch.
    """

    def __init__(
        self,
        folder: Path,
        metric: str,
        mode: Mode,
        save: Callable[[EpochResult], None],
    ) -> None:
        self._folder = folder
        self._state = folder / STATE
        self._metric, self._mode, self._save = metric, mode, save
        self._unsaved: EpochResult | None = None
        self._written = time.monotonic()
        recover_folder(folder / "best")
        state, self.warning = newest_state(self._state)
        # A worker before this one may have saved a better epoch than the first ones, which are repeated now.
        self._best = saved_score(folder / "best", metric) if state is None else state["best"]
        self.resume: dict[str, Any] | None = None if state is None else state["training"]
        self.collapse: dict[str, Any] = {} if state is None else state["collapse"]
        # Epochs that the state holds, and of which nobody knows whether the driver has heard.
        self.untold = [] if state is None else [EpochReport(**epoch) for epoch in state["untold"]]

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

    @property
    def seconds_since_state(self) -> float:
        """How old the state on disk is, or the trial where there is none."""
        return time.monotonic() - self._written

    def keep_state(self, result: EpochResult, untold: Sequence[EpochReport], collapse: dict[str, Any]) -> None:
        """Write the state after an epoch.

        Args:
            result: the epoch.
            untold: the epochs that are about to be reported: should that fail, the next worker reports them.
            collapse: what the collapse watch remembers.
        """
        content = {
            "best": self._best,
            "training": result.snapshot().resume,
            "collapse": collapse,
            "untold": [asdict(epoch) for epoch in untold],
        }
        save_state(self._state, content)
        self._written = time.monotonic()


def saved_score(model: Path, metric: str) -> float | None:
    """The score of a model on disk, or None where there is none."""
    try:
        score = json.loads((model / "model.json").read_text(encoding="utf-8"))["metrics"][metric]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if score is None else float(score)
