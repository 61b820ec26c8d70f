"""What a worker reports: a block of epochs.

A report costs a trip to the driver, several files and, where an epoch was the best so far, a model. So an epoch waits
for the next ones, unless the scheduler may want to stop the trial there.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from ecgtune.training.result import EpochResult


@dataclass(frozen=True)
class EpochReport:
    """One epoch as the driver hears of it.

    Args:
        epoch: counted from 1.
        lr: the learning rate used.
        metrics: by name.
        seconds: wall time.
        throughput: in the stage's own unit per second.
        confusion: counts, rows are the truth.
    """

    epoch: int
    lr: float
    metrics: Mapping[str, float]
    seconds: float
    throughput: float
    confusion: list[list[int]]


class Block:
    """The epochs that were not reported yet.

    Args:
        milestones: epochs that do not wait: where the scheduler decides, and the last one.
        seconds: no epoch waits longer than this, as far as the duration of the last one tells.
        clock: seconds that never go back.
    """

    def __init__(
        self, milestones: Collection[int], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._milestones = frozenset(milestones)
        self._seconds = seconds
        self._clock = clock
        self._begun = clock()
        self.epochs: list[EpochReport] = []

    def add(self, result: EpochResult) -> None:
        """Take in an epoch that has just ended."""
        self.epochs.append(
            EpochReport(
                result.epoch,
                result.lr,
                dict(result.metrics),
                result.seconds,
                result.throughput,
                result.confusion.tolist(),
            )
        )

    @property
    def due(self) -> bool:
        """Whether the epochs are to be reported before the next one begins."""
        if not self.epochs:
            return False
        last = self.epochs[-1]
        return last.epoch in self._milestones or self._clock() + last.seconds - self._begun >= self._seconds

    def take(self) -> list[EpochReport]:
        """The epochs to report; the block is empty then."""
        taken, self.epochs = self.epochs, []
        self._begun = self._clock()
        return taken
