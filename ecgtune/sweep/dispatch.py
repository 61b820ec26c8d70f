"""Which trial is trained next: one that was interrupted, one that its scheduler wakes, or a new one."""

from ecgtune.config import Scalar
from ecgtune.sweep.record import SweepRecord
from ecgtune.sweep.schedulers import Scheduler, Verdict
from ecgtune.sweep.study import SweepStudy


class Dispatcher:
    """Hands out trials.

    Args:
        study: knows the trials, and draws new ones.
        record: restored.
        scheduler: new; it is told here what an earlier run has done.
        sign: 1 where a high score is good, -1 where a low one is.
    """

    def __init__(self, study: SweepStudy, record: SweepRecord, scheduler: Scheduler, sign: float) -> None:
        self._study, self._record, self._scheduler = study, record, scheduler
        verdicts = {each: scheduler.tell(each, epoch, sign * score) for each, epoch, score in record.history}
        for trial_id in record.trials:
            scheduler.ended(trial_id)
        for trial_id in record.unfinished:
            if verdicts.get(trial_id) is Verdict.PAUSE:
                record.paused(trial_id)

    def next(self) -> tuple[str, dict[str, Scalar]] | None:
        """A trial and its parameters; None where there is none, now or, if none runs any more, for ever."""
        if self._study.unfinished:
            return self._study.ask()
        woken = self._scheduler.wake(idle=False)
        if woken is not None:
            return woken, self._record.parameters(woken)
        drawn = self._study.ask()
        if drawn is not None:
            return drawn
        if self._record.running:
            return None
        woken = self._scheduler.wake(idle=True)
        if woken is not None:
            return woken, self._record.parameters(woken)
        self._record.give_up(self._scheduler.reason)
        return None
