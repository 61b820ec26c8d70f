"""The states of paused trials: the best of each rung keep theirs, the others begin again should they be woken.

A scheduler that promotes pauses every trial, and wakes the best few. A state is as large as three models, so those
of all paused trials would fill the disk; epochs repeated by the odd trial that is woken from further down cost less.
"""

from bisect import insort
from collections.abc import Callable

from ecgtune.files import storage_errors
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.keeper import STATE
from ecgtune.sweep.retention import log
from ecgtune.sweep.trial import Mode, rank
from ecgtune.training.state import before, drop_state

# So many paused trials of each rung keep their state.
STATES = 2


class WaitingTrials:
    """Knows who is paused at which epoch, and removes the states that are least likely to be needed.

    Args:
        folder: of the sweep.
        mode: whether a score is to be small or large.
        drop: removes the states of a trial; None takes them from the folder.
    """

    def __init__(self, folder: SweepFolder, mode: Mode, drop: Callable[[str], None] | None = None) -> None:
        self._folder = folder
        self._drop = drop or (lambda trial_id: drop_state(folder.trial(trial_id) / STATE))
        self._mode: Mode = mode
        self._rungs: dict[int, list[tuple[tuple[float, int], str]]] = {}

    def add(self, trial_id: str, epoch: int, score: float) -> list[str]:
        """A trial is paused after an epoch with a score; gives the trials whose states went, itself perhaps."""
        # Many may be paused, for long: the state before the newest does not pay.
        before(self._folder.trial(trial_id) / STATE).unlink(missing_ok=True)
        rung = self._rungs.setdefault(epoch, [])
        insort(rung, (rank(trial_id, score, self._mode), trial_id))
        beyond = [each for _, each in rung[STATES:]]
        del rung[STATES:]
        for each in beyond:
            self._tell(each, epoch)
            self._drop(each)
        return beyond

    def _tell(self, trial_id: str, epoch: int) -> None:
        """What is removed is logged, before it goes."""
        state = self._folder.trial(trial_id) / STATE
        size = state.stat().st_size if state.exists() else 0  # at a URI it is not here
        with storage_errors(self._folder.path):
            log(self._folder, [state], size, f"state: trial {trial_id} is not among the {STATES} best at epoch {epoch}")

    def remove(self, trial_id: str) -> None:
        """A trial is paused no more."""
        for rung in self._rungs.values():
            rung[:] = [entry for entry in rung if entry[1] != trial_id]
