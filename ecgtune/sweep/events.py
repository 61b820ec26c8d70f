"""What a running sweep tells its display. The sweep calls; the display only listens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from ecgtune.config import Scalar, Stage

TrialState: TypeAlias = Literal["RUNNING", "PAUSED", "COMPLETE", "PRUNED", "FAILED"]


@dataclass(frozen=True)
class TrialView:
    """A trial as it stands now.

    Args:
        trial_id: e.g. `00007`.
        parameters: slash names and values; those that vary in the sweep.
        state: where the trial is in its life.
        reason: why it is PRUNED or FAILED, e.g. `asha`, `collapsed`; else empty.
        epoch: epochs finished, 0..max_epochs.
        max_epochs: the most it may run.
        score: the metric at `epoch`; None before the first epoch.
        best: the best score of this trial so far.
        throughput: in the sweep's own unit per second; 0 while unknown.
        seconds: since the trial started.
    """

    trial_id: str
    parameters: Mapping[str, Scalar]
    state: TrialState
    reason: str
    epoch: int
    max_epochs: int
    score: float | None
    best: float | None
    throughput: float
    seconds: float


class SweepObserver(Protocol):
    """Listens to a sweep. No method may raise, block, or change the sweep."""

    def sweep_started(
        self,
        *,
        name: str,
        folder: Path,
        stage: Stage,
        num_samples: int,
        max_epochs: int,
        metric: str,
        mode: str,
        concurrency: int,
        throughput_unit: str,
        searcher: str,
        scheduler: str,
        earlier: Sequence[TrialView] = (),
        best: tuple[TrialView, int, float] | None = None,
    ) -> None:
        """The sweep is about to start its first trial.

        `num_samples` counts those that ended in an earlier run, too: they are in `earlier`. `best` is the trial, epoch
        and score of the best epoch of that run.
        """
        ...

    def trial_started(self, trial: TrialView) -> None:
        """A trial got its place and its parameters."""
        ...

    def epoch_finished(self, trial: TrialView) -> None:
        """A running trial finished an epoch."""
        ...

    def trial_paused(self, trial: TrialView) -> None:
        """A trial waits: its scheduler may wake it, or another one may prove better."""
        ...

    def trial_finished(self, trial: TrialView) -> None:
        """A trial is COMPLETE, PRUNED or FAILED."""
        ...

    def best_changed(self, trial: TrialView, epoch: int, score: float) -> None:
        """`trial` has at `epoch` the best score of the sweep so far."""
        ...

    def note(self, message: str) -> None:
        """Something the user should read once, in one sentence."""
        ...

    def sweep_finished(self, *, interrupted: bool) -> None:
        """No trial runs any more."""
        ...
