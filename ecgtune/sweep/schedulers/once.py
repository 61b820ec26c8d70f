"""A scheduler that hears of every epoch once, whatever workers repeat."""

import math

from ecgtune.sweep.schedulers.protocol import Scheduler, Verdict


class Once:
    """Wraps a scheduler.

    A worker that takes up a trial reports anew what its state holds. The scheduler has heard of that already, from
    the worker before or from the files of the sweep; the verdict of then is given once more, unless the trial has
    been woken since. A score that is not finite is not passed on: such a trial fails, and compares with none.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        # Trial -> the last epoch told, and the verdict on it.
        self._told: dict[str, tuple[int, Verdict]] = {}

    @property
    def milestones(self) -> tuple[int, ...]:
        """As in the scheduler."""
        return self._scheduler.milestones

    @property
    def pauses(self) -> bool:
        """As in the scheduler."""
        return self._scheduler.pauses

    @property
    def reason(self) -> str:
        """As in the scheduler."""
        return self._scheduler.reason

    def tell(self, trial_id: str, epoch: int, score: float) -> Verdict:
        """The scheduler's verdict on the epoch, or that on the last one it was told of."""
        last, verdict = self._told.get(trial_id, (0, Verdict.GO_ON))
        if epoch > last and math.isfinite(score):
            verdict = self._scheduler.tell(trial_id, epoch, score)
            self._told[trial_id] = epoch, verdict
        return verdict

    def ended(self, trial_id: str) -> None:
        """As in the scheduler."""
        self._scheduler.ended(trial_id)

    def wake(self, *, idle: bool) -> str | None:
        """As in the scheduler; the verdict that paused the trial does not hold any more."""
        trial_id = self._scheduler.wake(idle=idle)
        if trial_id is not None:
            self._told[trial_id] = self._told[trial_id][0], Verdict.GO_ON
        return trial_id
