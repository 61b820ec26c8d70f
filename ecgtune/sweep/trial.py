"""What is known of one trial while the sweep runs."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ecgtune.config import Scalar
from ecgtune.sweep.events import TrialState, TrialView

Mode: TypeAlias = Literal["min", "max"]


def better(score: float, than: float | None, mode: Mode) -> bool:
    """Whether `score` beats `than`; NaN beats nothing and everything beats None."""
    if math.isnan(score):
        return False
    if than is None:
        return True
    return score < than if mode == "min" else score > than


def rank(trial_id: str, score: float, mode: Mode) -> tuple[float, int]:
    """What trials are sorted by, the best first; of equals the earlier one."""
    return (score if mode == "min" else -score, int(trial_id))


@dataclass
class Trial:
    """One trial's life so far.

    Args:
        trial_id: five digits.
        parameters: drawn and fixed, under their slash names.
        metric: the metric that is optimised.
        mode: whether it is to be small or large.
    """

    trial_id: str
    parameters: Mapping[str, Scalar]
    metric: str
    mode: Mode
    state: TrialState = "RUNNING"
    reason: str = ""
    message: str = ""
    epochs: int = 0
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    in_epochs: float = 0.0
    throughput: float = 0.0
    score: float | None = None
    best_epoch: int = 0
    best_score: float | None = None
    best_metrics: Mapping[str, float] = field(default_factory=dict)

    def add_epoch(self, epoch: int, metrics: Mapping[str, float], throughput: float, seconds: float = 0.0) -> bool:
        """Take in one epoch; True where it is the best of this trial so far."""
        self.epochs = epoch
        self.in_epochs += seconds
        # An epoch of an earlier run may be told only now.
        self.started = min(self.started, time.monotonic() - self.in_epochs)
        self.seconds = time.monotonic() - self.started
        self.throughput = throughput
        self.score = metrics[self.metric]
        if not better(self.score, self.best_score, self.mode):
            return False
        self.best_epoch, self.best_score, self.best_metrics = epoch, self.score, dict(metrics)
        return True

    def begin(self) -> None:
        """A worker trains it from now on."""
        self.state = "RUNNING"
        self.started = time.monotonic() - self.seconds

    def pause(self) -> None:
        """Nobody trains it for now."""
        if self.state == "RUNNING":
            self.state = "PAUSED"

    def end(self, state: TrialState, reason: str, message: str = "") -> None:
        """The trial runs no more."""
        if self.state == "RUNNING":
            self.seconds = time.monotonic() - self.started
        self.state, self.reason, self.message = state, reason, message

    def view(self, shown: Mapping[str, Scalar], max_epochs: int) -> TrialView:
        """The trial for a display; `shown` are the parameters worth showing."""
        return TrialView(
            trial_id=self.trial_id,
            parameters=shown,
            state=self.state,
            reason=self.reason,
            epoch=self.epochs,
            max_epochs=max_epochs,
            score=self.score,
            best=self.best_score,
            throughput=self.throughput,
            seconds=self.seconds,
        )
