"""Asynchronous Hyperband: several brackets of successive halving, which begin to stop trials later and later."""

import math

from ecgtune.sweep.schedulers.asha import Asha
from ecgtune.sweep.schedulers.protocol import Verdict
from ecgtune.sweep.schedulers.rungs import rungs


class Hyperband:
    """Hyperband (Li et al. 2018, arXiv 1603.06560) whose brackets are ASHA in its stopping form.

    There is a bracket that begins at each rung, and one that stops nobody. A trial belongs to one of them by its
    number, in shares such as Hyperband gives to its brackets: the earlier one begins to stop, the more trials it has.

    Args:
        grace_period: the first rung of the first bracket, in epochs.
        reduction_factor: about one trial in so many passes a rung.
        max_epochs: of a trial.
    """

    reason = "hyperband"
    pauses = False

    def __init__(self, grace_period: int, reduction_factor: int, max_epochs: int) -> None:
        self.milestones = rungs(grace_period, reduction_factor, max_epochs)
        starts = [*self.milestones, max_epochs]
        self._brackets = [Asha(start, reduction_factor, max_epochs) for start in starts]
        self._weights = bracket_sizes(len(starts), reduction_factor)
        self._credit = [0] * len(starts)
        self._assigned: list[int] = []

    def tell(self, trial_id: str, epoch: int, score: float) -> Verdict:
        """GO_ON, or STOP at a rung of its bracket."""
        return self._brackets[self.bracket(trial_id)].tell(trial_id, epoch, score)

    def ended(self, trial_id: str) -> None:
        """Nothing: its scores stay in the rungs."""

    def wake(self, *, idle: bool) -> str | None:  # noqa: ARG002 the protocol's
        """None: no trial is ever paused."""
        return None

    def bracket(self, trial_id: str) -> int:
        """The number of a trial's bracket, from 0: the one that begins earliest.

        Trials take turns, so that the shares are right at every moment: each bracket saves up its weight, the one
        with most takes the trial and pays for it.
        """
        while len(self._assigned) <= int(trial_id):
            self._credit = [saved + weight for saved, weight in zip(self._credit, self._weights, strict=True)]
            chosen = max(range(len(self._credit)), key=self._credit.__getitem__)
            self._credit[chosen] -= sum(self._weights)
            self._assigned.append(chosen)
        return self._assigned[int(trial_id)]


def bracket_sizes(count: int, reduction_factor: int) -> list[int]:
    """How many configurations each of `count` brackets of Hyperband starts with, the largest first."""
    return [math.ceil(count / (halvings + 1) * reduction_factor**halvings) for halvings in reversed(range(count))]
