"""The seam between a sweep and what decides how far its trials are trained."""

from enum import Enum
from typing import Protocol


class Verdict(Enum):
    """What is to become of a trial after an epoch."""

    GO_ON = "go on"
    STOP = "stop"
    PAUSE = "pause"


class Scheduler(Protocol):
    """Decides which trials are worth going on with; knows neither Ray nor Optuna.

    It draws nothing at random and keeps no file. A sweep that is resumed tells it the epochs of before once more, in
    the order in which they came: an epoch of a paused trial then says that it had been woken. Trials that have ended
    follow through `ended`.

    Scores are such that higher is better. Trials are known by their five digits, `00000` the first.
    """

    @property
    def milestones(self) -> tuple[int, ...]:
        """The epochs after which it may stop or pause a trial: workers report these at once."""
        ...

    @property
    def pauses(self) -> bool:
        """Whether it ever pauses a trial: workers then keep a resumable state at every milestone."""
        ...

    @property
    def reason(self) -> str:
        """Why a trial that it stops was pruned, e.g. `asha`."""
        ...

    def tell(self, trial_id: str, epoch: int, score: float) -> Verdict:
        """Take in an epoch; at epochs that are no milestone, and at the last one, it is always GO_ON."""
        ...

    def ended(self, trial_id: str) -> None:
        """A trial will not be trained any further, whoever decided that."""
        ...

    def wake(self, *, idle: bool) -> str | None:
        """A paused trial that is to go on now, rather than a new one; it is not paused any more. None: a new one.

        Args:
            idle: no new trial is left and none runs, so that whatever is not woken now is given up for ever.
        """
        ...
