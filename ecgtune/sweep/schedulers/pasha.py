"""Progressive ASHA: the highest rung in use grows only as long as it still changes the ranking."""

import numpy as np
from numpy.typing import NDArray

from ecgtune.sweep.schedulers.asha_promote import AshaPromote
from ecgtune.sweep.schedulers.protocol import Verdict

# The share of the distances between trials that keep overtaking one another which counts as noise.
_PERCENTILE = 90.0


class Pasha(AshaPromote):
    """PASHA (Bohdal et al., ICLR 2023, arXiv 2207.06940) on ASHA with promotions.

    At first trials are promoted to the second rung at most. As long as the trials of the highest rung in use rank
    otherwise there than in the rung below, the next rung is taken into use. Scores count as equal there if they
    differ by no more than the noise: the 90th percentile of the distances between trials whose curves cross back and
    forth. In the end the leader is trained to its last epoch.

    Unlike in the paper, which rungs are in use is worked out anew from the curves known, so that it does not depend
    on the order in which they became known.

    Args:
        grace_period: the first rung, in epochs.
        reduction_factor: one trial in so many is promoted.
        max_epochs: of a trial.
    """

    reason = "pasha"

    def __init__(self, grace_period: int, reduction_factor: int, max_epochs: int) -> None:
        super().__init__(grace_period, reduction_factor, max_epochs)
        self._curves: dict[str, dict[int, float]] = {}
        self._cap: int | None = 1

    def tell(self, trial_id: str, epoch: int, score: float) -> Verdict:
        """GO_ON, or PAUSE at a rung."""
        self._curves.setdefault(trial_id, {})[epoch] = score
        if epoch in self._seen:
            self._cap = None
        return super().tell(trial_id, epoch, score)

    def _allowed(self) -> tuple[int, ...]:
        if self._cap is None:
            self._cap = 1
            while self._cap < len(self.milestones) and not self._stable(self._cap):
                self._cap += 1
        return self.milestones[: self._cap]

    def _stable(self, top: int) -> bool:
        """Whether the trials of rung number `top` rank as in the rung below it."""
        below, above = self._seen[self.milestones[top - 1]], self._seen[self.milestones[top]]
        there = [trial_id for trial_id in self._ranked(self.milestones[top]) if trial_id in below]
        before = sorted(there, key=lambda trial_id: (-below[trial_id], trial_id))
        if there == before:
            return True
        noise = self._noise(sorted(above), self.milestones[top])
        return all(abs(below[one] - below[other]) <= noise for one, other in zip(there, before, strict=True))

    def _noise(self, trial_ids: list[str], last: int) -> float:
        """By how much trials differ at epoch `last` that overtook one another at least twice until then."""
        if len(trial_ids) < 2:
            return 0.0
        # [trials, epochs]; an epoch that was not told is NaN, and no comparison with it counts.
        curves = np.array([[self._curves[each].get(e, np.nan) for e in range(1, last + 1)] for each in trial_ids])
        distances: list[float] = []
        for number in range(len(curves) - 1):
            gaps = curves[number + 1 :] - curves[number]
            distances += _last(gaps[_overtakings(gaps) >= 2])
        return float(np.percentile(distances, _PERCENTILE)) if distances else 0.0


def _overtakings(gaps: NDArray[np.float64]) -> NDArray[np.int64]:
    """[n]: how often the sign changes along each row of [n, epochs]; what is NaN or 0 has none and is passed over."""
    known = np.isfinite(gaps) & (gaps != 0)
    # Each place has the sign of the last one that is known.
    last = np.maximum.accumulate(np.where(known, np.arange(gaps.shape[1]), 0), axis=1)
    signs = np.take_along_axis(np.where(known, np.sign(gaps), 0.0), last, axis=1)
    return np.asarray(((signs[:, 1:] != signs[:, :-1]) & (signs[:, :-1] != 0)).sum(axis=1))


def _last(gaps: NDArray[np.float64]) -> list[float]:
    """The size of the last gap of each row that is a number."""
    last = gaps.shape[1] - 1 - np.argmax(np.isfinite(gaps)[:, ::-1], axis=1)
    return [float(size) for size in np.abs(np.take_along_axis(gaps, last[:, None], axis=1)[:, 0])]
