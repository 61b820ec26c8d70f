"""Ray's side of a scheduler: passes on what workers report, and names the reason for every early stop."""

from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from ecgtune.sweep.record import SweepRecord
from ecgtune.sweep.schedulers import Scheduler, Verdict


class ScheduledTrials(FIFOScheduler):
    """Ends a trial in Ray when it has failed, when it is done, and when its scheduler stops or pauses it.

    To Ray a paused trial has ended; when it is woken, Ray sees a new trial with the same `trial_id`.

    Args:
        scheduler: decides; one that may be told an epoch twice.
        record: hears why a trial ends.
        metric: what the scheduler is told of an epoch.
        sign: 1 where a high score is good, -1 where a low one is.
        max_epochs: of a trial.
    """

    def __init__(self, scheduler: Scheduler, record: SweepRecord, *, metric: str, sign: float, max_epochs: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Ray looks for a `_metric` of its own.
        self._scheduler, self._record = scheduler, record
        self._score_name, self._sign, self._max_epochs = metric, sign, max_epochs

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """CONTINUE or STOP."""
        trial_id, verdict = trial.config["trial_id"], Verdict.GO_ON
        for epoch in result["epochs"]:
            verdict = self._scheduler.tell(trial_id, epoch.epoch, self._sign * epoch.metrics[self._score_name])
        if result["failure"] or result["epoch"] >= self._max_epochs:
            self._scheduler.ended(trial_id)
            return str(TrialScheduler.STOP)
        if verdict is Verdict.GO_ON:
            return str(TrialScheduler.CONTINUE)
        if verdict is Verdict.PAUSE:
            self._record.will_pause(trial_id)
        else:
            self._record.will_end(trial_id, self._scheduler.reason)
            self._scheduler.ended(trial_id)
        return str(TrialScheduler.STOP)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """A worker died and is given up; one that had not begun is replaced, and its trial goes on."""
        if self._record.trains(trial.config["trial_id"]):
            self._scheduler.ended(trial.config["trial_id"])
