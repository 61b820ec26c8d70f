"""Ray's schedulers, made to name the reason for every early stop.

ASHA as such is Ray's (Li et al. 2020, arXiv 1810.05934). What it does not do: stop a trial whose score is NaN
(`nan < cutoff` is false), or tell a stop apart from an end.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from ecgtune.space import SweepSettings
from ecgtune.sweep.record import SweepRecord


def asha_milestones(grace_period: int, reduction_factor: int, max_epochs: int) -> tuple[int, ...]:
    """The epochs at which ASHA compares a trial with others, and may stop it: its rungs below the last epoch."""
    found = []
    rung = grace_period
    while rung < max_epochs:
        found.append(rung)
        rung *= reduction_factor
    return tuple(found)


class _NamedEnds:
    """Stops a trial that reports its own failure; names the stops that the next class in line decides.

    A worker reports at the `milestones` and at the last epoch, whatever else waits.
    """

    record: SweepRecord
    max_epochs: int
    milestones: tuple[int, ...] = ()

    def _judge(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """What the scheduler itself decides: here to end a trial at its last epoch, as the worker would."""
        return str(TrialScheduler.STOP if result["epoch"] >= self.max_epochs else TrialScheduler.CONTINUE)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """CONTINUE or STOP."""
        if result["failure"]:
            return str(TrialScheduler.STOP)
        decision = self._judge(tune_controller, trial, result)
        if decision == TrialScheduler.STOP and result["epoch"] < self.max_epochs:
            self.record.will_end(trial.config["trial_id"], "asha")
        return decision


def _known(trial_id: str) -> Any:
    """Stands for one of Ray's trials, under the id that outlives a run; the id is all that ASHA asks of it."""
    return SimpleNamespace(trial_id=trial_id)


class Asha(_NamedEnds, AsyncHyperBandScheduler):
    """Asynchronous successive halving on the trial's own epoch.

    Ray's own rungs live in memory, under ids that change from run to run. Here they go by the study's trial ids, and
    are filled again from what the study knows.
    """

    def __init__(self, record: SweepRecord, settings: SweepSettings, max_epochs: int) -> None:
        grace_period, reduction_factor = min(settings.grace_period, max_epochs), settings.reduction_factor
        super().__init__(
            time_attr="epoch", max_t=max_epochs, grace_period=grace_period, reduction_factor=reduction_factor
        )
        self.record, self.max_epochs = record, max_epochs
        self.milestones = asha_milestones(grace_period, reduction_factor, max_epochs)
        self._sign = 1.0 if settings.mode == "max" else -1.0
        for stored in record.stored():
            for epoch, score in sorted(stored.scores.items()):
                self._brackets[0].on_result(_known(stored.trial_id), epoch, self._sign * score)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Under the study's id."""
        super().on_trial_add(tune_controller, _known(trial.config["trial_id"]))

    def _judge(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        return str(
            AsyncHyperBandScheduler.on_trial_result(self, tune_controller, _known(trial.config["trial_id"]), result)
        )

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Nothing to add: every epoch was judged when it came."""

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Nothing: a trial that is removed has left its scores in the rungs."""


class RunAll(_NamedEnds, FIFOScheduler):
    """Every trial runs to its last epoch."""

    def __init__(self, record: SweepRecord, settings: SweepSettings, max_epochs: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.record, self.max_epochs = record, max_epochs


SCHEDULERS: dict[str, Callable[[SweepRecord, SweepSettings, int], Asha | RunAll]] = {
    "asha": Asha,
    "none": RunAll,
}
