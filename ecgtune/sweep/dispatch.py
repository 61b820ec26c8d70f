"""Which trial is trained next: one that was interrupted, one that its scheduler wakes, or a new one."""

from collections import Counter

from ecgtune.config import Scalar
from ecgtune.sweep.record import SweepRecord
from ecgtune.sweep.schedulers import Scheduler, Verdict
from ecgtune.sweep.study import SweepStudy

# A worker that dies (killed for memory, a lost node) is replaced this often before its trial is given up.
WORKER_DEATHS = 2


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
        # Trial -> the epochs it had when it was handed out the last time.
        self._handed_out: dict[str, int] = {}
        # Trials whose worker died before it had begun, and how often that has happened.
        self._again: list[tuple[str, dict[str, Scalar]]] = []
        self._deaths: Counter[str] = Counter()
        verdicts = {each: scheduler.tell(each, epoch, sign * score) for each, epoch, score in record.history}
        for trial_id in record.trials:
            scheduler.ended(trial_id)
        for trial_id in record.unfinished:
            if verdicts.get(trial_id) is Verdict.PAUSE:
                record.paused(trial_id)

    @property
    def busy(self) -> bool:
        """Whether any trial is being trained, or has been handed out and is about to be."""
        return self._record.running or any(self._starting(each, epochs) for each, epochs in self._handed_out.items())

    @property
    def in_flight(self) -> int:
        """How many trials are being trained, or have been handed out and are about to be."""
        return sum(self._record.trains(each) or self._starting(each, n) for each, n in self._handed_out.items())

    def _starting(self, trial_id: str, epochs: int) -> bool:
        """Whether no worker has begun yet with a trial that was handed out after so many epochs."""
        trial = self._record.trials.get(trial_id)
        return trial is None or (trial.state == "PAUSED" and trial.epochs == epochs)

    def next(self) -> tuple[str, dict[str, Scalar]] | None:
        """A trial and its parameters; None where there is none: now while it is busy, else for ever."""
        following = self._next()
        if following is not None:
            trial = self._record.trials.get(following[0])
            self._handed_out[following[0]] = trial.epochs if trial else 0
        return following

    def again(self, trial_id: str, parameters: dict[str, Scalar]) -> bool:
        """Hand out once more a trial whose worker died before it had begun; False where that has happened too often."""
        self._deaths[trial_id] += 1
        if self._deaths[trial_id] > WORKER_DEATHS:
            return False
        self._again.append((trial_id, parameters))
        return True

    def _next(self) -> tuple[str, dict[str, Scalar]] | None:
        if self._again:
            return self._again.pop(0)
        if self._study.unfinished:
            return self._study.ask()
        woken = self._wake(idle=False)
        if woken is not None:
            return woken
        drawn = self._study.ask()
        if drawn is not None:
            return drawn
        if self.busy:
            return None
        woken = self._wake(idle=True)
        if woken is not None:
            return woken
        self._record.give_up(self._scheduler.reason)
        return None

    def _wake(self, *, idle: bool) -> tuple[str, dict[str, Scalar]] | None:
        """A trial that its scheduler wakes."""
        woken = self._scheduler.wake(idle=idle)
        if woken is None:
            return None
        self._record.taken_up(woken)
        return woken, self._record.parameters(woken)
