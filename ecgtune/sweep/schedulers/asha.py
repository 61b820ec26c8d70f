"""Asynchronous successive halving that stops, as in Ray: a trial goes on if it is not behind those before it."""

import numpy as np

from ecgtune.sweep.schedulers.protocol import Verdict
from ecgtune.sweep.schedulers.rungs import rungs


class Asha:
    """ASHA in its stopping form (after Li et al. 2020, arXiv 1810.05934).

    At each rung a trial is stopped if its score is below the (1 - 1/`reduction_factor`) quantile of the scores that
    the rung has seen before it; the first trial at a rung passes.

    Args:
        grace_period: the first rung, in epochs.
        reduction_factor: about one trial in so many passes a rung.
        max_epochs: of a trial.
    """

    reason = "asha"
    pauses = False

    def __init__(self, grace_period: int, reduction_factor: int, max_epochs: int) -> None:
        self.milestones = rungs(grace_period, reduction_factor, max_epochs)
        self._quantile = 1 - 1 / reduction_factor
        self._seen: dict[int, dict[str, float]] = {rung: {} for rung in self.milestones}

    def tell(self, trial_id: str, epoch: int, score: float) -> Verdict:
        """GO_ON, or STOP at a rung."""
        seen = self._seen.get(epoch)
        if seen is None or trial_id in seen:
            return Verdict.GO_ON
        behind = bool(seen) and score < np.quantile(list(seen.values()), self._quantile)
        seen[trial_id] = score
        return Verdict.STOP if behind else Verdict.GO_ON

    def ended(self, trial_id: str) -> None:
        """Nothing: its scores stay in the rungs."""

    def wake(self, *, idle: bool) -> str | None:  # noqa: ARG002 the protocol's
        """None: no trial is ever paused."""
        return None
