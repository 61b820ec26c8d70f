"""Ray's schedulers, made to name the reason for every early stop.

ASHA as such is Ray's (Li et al. 2020, arXiv 1810.05934). What it does not do: stop a trial whose score is NaN
(`nan < cutoff` is false), or tell a stop apart from an end.
"""

from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from ecgtune.space import SweepSettings
from ecgtune.sweep.record import SweepRecord


class _NamedEnds:
    """Stops a trial that reports its own failure; names the stops that the next class in line decides."""

    record: SweepRecord
    max_epochs: int

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """CONTINUE or STOP."""
        if result.get("failure"):
            return str(TrialScheduler.STOP)
        decision = str(super().on_trial_result(tune_controller, trial, result))  # type: ignore[misc]
        if decision == TrialScheduler.STOP and result["epoch"] < self.max_epochs:
            self.record.will_end(trial.config["trial_id"], "asha")
        return decision


class Asha(_NamedEnds, AsyncHyperBandScheduler):
    """Asynchronous successive halving on the trial's own epoch."""

    def __init__(self, record: SweepRecord, settings: SweepSettings, max_epochs: int) -> None:
        super().__init__(
            time_attr="epoch",
            max_t=max_epochs,
            grace_period=min(settings.grace_period, max_epochs),
            reduction_factor=settings.reduction_factor,
        )
        self.record, self.max_epochs = record, max_epochs


class RunAll(_NamedEnds, FIFOScheduler):
    """Every trial runs to its last epoch."""

    def __init__(self, record: SweepRecord, settings: SweepSettings, max_epochs: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.record, self.max_epochs = record, max_epochs


SCHEDULERS: dict[str, Callable[[SweepRecord, SweepSettings, int], TrialScheduler]] = {
    "asha": Asha,
    "none": RunAll,
}
