"""The best epoch of a sweep so far, and its model in `best/`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgtune.remote import RemoteError
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.promote import ModelMissingError, promote, promoted
from ecgtune.sweep.tensorboard import SweepBoard
from ecgtune.sweep.trial import Mode, better

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Winner:
    """The best epoch of the best trial so far."""

    trial_id: str
    epoch: int
    score: float


class Leader:
    """Knows the winner, and copies its model.

    Args:
        folder: the sweep's.
        board: TensorBoard.
        classes: names of the classes of the confusion matrix.
        mode: whether a score is to be small or large.
        tell: is told of a model that is missing.
        fetch: has a trial's model here, should it lie elsewhere.
    """

    def __init__(
        self,
        folder: SweepFolder,
        board: SweepBoard,
        classes: tuple[str, ...],
        mode: Mode,
        tell: Callable[[str], None],
        fetch: Callable[[str, str], None] = lambda _trial, _part: None,
    ) -> None:
        self._fetch = fetch
        self._folder, self._board, self._classes, self._mode, self._tell = folder, board, classes, mode, tell
        self._confusion: list[list[int]] | None = None
        self._promoted: Winner | None = None
        self.winner: Winner | None = None

    def see(self, trial_id: str, epoch: int, score: float, confusion: list[list[int]] | None = None) -> None:
        """Take in an epoch that is its trial's best so far."""
        if better(score, self.winner.score if self.winner else None, self._mode):
            self.winner, self._confusion = Winner(trial_id, epoch, score), confusion

    def restored(self) -> None:
        """All epochs of an earlier run were seen: the model in `best/` may be the winner's already."""
        if self.winner is not None and promoted(self._folder) == (self.winner.trial_id, self.winner.epoch):
            self._promoted = self.winner

    def promote(self) -> None:
        """Copy the winner's model to `best/`, and its confusion matrix to TensorBoard."""
        if self.winner is None or self.winner == self._promoted:
            return
        try:
            self._fetch(self.winner.trial_id, "best")
            promote(self._folder, self.winner.trial_id, self.winner.epoch)
        except (ModelMissingError, RemoteError) as error:
            self._tell(str(error))
            return
        self._promoted = self.winner
        if self._confusion is not None:
            counts = np.array(self._confusion, dtype=np.int64)
            self._board.figure("confusion/best trial", partial(_drawn, counts, self._classes), self.winner.epoch)


def _drawn(counts: NDArray[np.int64], classes: tuple[str, ...]) -> "Figure":
    from ecgtune.report.plots import confusion_figure  # matplotlib, which no sweep needs before

    return confusion_figure(counts, classes)
