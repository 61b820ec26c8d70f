"""The median stopping rule."""

from itertools import accumulate
from statistics import median

from ecgtune.sweep.schedulers.protocol import Verdict

# With fewer trials to compare with, the median is an accident.
_ENOUGH = 3


class Median:
    """Stops a trial whose best score so far is below the median of others' running averages (Golovin et al. 2017).

    The others are the trials that were trained to the end, each with the average of its scores up to the same epoch;
    before there are three, nobody is stopped.

    Args:
        grace_period: the first epoch after which a trial may be stopped.
        max_epochs: of a trial.
    """

    reason = "median"
    pauses = False

    def __init__(self, grace_period: int, max_epochs: int) -> None:
        self.milestones = tuple(range(grace_period, max_epochs))
        self._grace_period, self._max_epochs = grace_period, max_epochs
        self._scores: dict[str, dict[int, float]] = {}
        # Per epoch, the running averages of the trials that were trained to the end.
        self._averages: dict[int, list[float]] = {}

    def tell(self, trial_id: str, epoch: int, score: float) -> Verdict:
        """GO_ON, or STOP at an epoch from the grace period on."""
        scores = self._scores.setdefault(trial_id, {})
        scores[epoch] = score
        if epoch >= self._max_epochs:
            self._completed(scores)
            return Verdict.GO_ON
        averages = self._averages.get(epoch, [])
        if epoch < self._grace_period or len(averages) < _ENOUGH:
            return Verdict.GO_ON
        return Verdict.STOP if max(scores.values()) < median(averages) else Verdict.GO_ON

    def ended(self, trial_id: str) -> None:
        """Nothing: what counts is whether the trial was trained to the end."""
        self._scores.pop(trial_id, None)

    def wake(self, *, idle: bool) -> str | None:  # noqa: ARG002 the protocol's
        """None: no trial is ever paused."""
        return None

    def _completed(self, scores: dict[int, float]) -> None:
        epochs = sorted(scores)
        sums = accumulate(scores[epoch] for epoch in epochs)
        for count, (epoch, total) in enumerate(zip(epochs, sums, strict=True), start=1):
            self._averages.setdefault(epoch, []).append(total / count)
