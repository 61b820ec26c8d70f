"""Asynchronous successive halving as published: trials wait at each rung, and the best of a rung are promoted."""

from ecgtune.sweep.schedulers.protocol import Verdict
from ecgtune.sweep.schedulers.rungs import rungs


class AshaPromote:
    """ASHA with promotions (Li et al. 2020, arXiv 1810.05934, algorithm 2).

    Every trial pauses at every rung. The best 1/`reduction_factor` of a rung are promoted, those of the highest rung
    first; a new trial is begun only where nobody can be. What the paper leaves open is the end of a sweep: when
    nothing else is left to do, the best trial of the highest rung goes on to its last epoch.

    Nothing depends on the order in which trials reached a rung, so that a sweep that is resumed promotes the same.

    Args:
        grace_period: the first rung, in epochs.
        reduction_factor: one trial in so many is promoted.
        max_epochs: of a trial.
    """

    reason = "asha"
    pauses = True

    def __init__(self, grace_period: int, reduction_factor: int, max_epochs: int) -> None:
        self.milestones = rungs(grace_period, reduction_factor, max_epochs)
        self._factor = reduction_factor
        self._max_epochs = max_epochs
        self._seen: dict[int, dict[str, float]] = {rung: {} for rung in self.milestones}
        # Trial -> the rung at which it is paused.
        self._paused: dict[str, int] = {}
        self._complete: set[str] = set()
        self._ended: set[str] = set()

    def tell(self, trial_id: str, epoch: int, score: float) -> Verdict:
        """GO_ON, or PAUSE at a rung."""
        self._paused.pop(trial_id, None)
        if epoch >= self._max_epochs:
            self._complete.add(trial_id)
        if epoch not in self._seen:
            return Verdict.GO_ON
        self._seen[epoch][trial_id] = score
        self._paused[trial_id] = epoch
        return Verdict.PAUSE

    def ended(self, trial_id: str) -> None:
        """It is not paused any more; its scores stay in the rungs."""
        self._paused.pop(trial_id, None)
        self._ended.add(trial_id)

    def wake(self, *, idle: bool) -> str | None:
        """The best trial of the highest rung that has one to promote."""
        chosen = self._promotable()
        if chosen is None and idle:
            chosen = self._leader()
        if chosen is not None:
            del self._paused[chosen]
        return chosen

    def _allowed(self) -> tuple[int, ...]:
        """The rungs from which trials may be promoted, the lowest first."""
        return self.milestones

    def _promotable(self) -> str | None:
        for rung in reversed(self._allowed()):
            ranked = self._ranked(rung)
            for trial_id in ranked[: len(ranked) // self._factor]:
                if self._paused.get(trial_id) == rung:
                    return trial_id
        return None

    def _leader(self) -> str | None:
        """The best of the highest rung, among those that did not fail; None where it has been trained to the end."""
        for rung in reversed(self.milestones):
            for trial_id in self._ranked(rung):
                if trial_id in self._complete:
                    return None
                if trial_id in self._paused:
                    return trial_id
        return None

    def _ranked(self, rung: int) -> list[str]:
        """The trials of a rung, the best first; equal ones by their number."""
        seen = self._seen[rung]
        return sorted(seen, key=lambda trial_id: (-seen[trial_id], trial_id))
