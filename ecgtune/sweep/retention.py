"""Which trials keep their models: the K best that rest, those that run, and those that something stands on.

A trial rests when it has ended or is paused. The weights of the others go as soon as a better trial rests: the best
score of a trial never gets worse, so what is beyond the K best stays there, unless it goes on and finds a better epoch.
Their `model.json` and out-of-fold predictions stay: what choosing the best trial is worth can only be told with the
predictions of all.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ecgtune.errors import StorageError
from ecgtune.files import storage_errors
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.references import References
from ecgtune.sweep.trial import Mode, rank
from ecgtune.training.removed import leave_note, weights

# The models of so many trials are kept unless the user says otherwise.
KEEP = 3


@dataclass(frozen=True)
class Removed:
    """The weights of one trial, gone.

    Args:
        trial_id: five digits.
        size: bytes.
    """

    trial_id: str
    size: int


def beyond(scores: Mapping[str, float | None], keep: int, mode: Mode) -> set[str]:
    """The trials that have ended and are not among the `keep` best; one without a score is never among them."""
    scored = [(trial_id, score) for trial_id, score in scores.items() if score is not None]
    best = sorted(scored, key=lambda entry: rank(entry[0], entry[1], mode))[:keep]
    return set(scores) - {trial_id for trial_id, _ in best}


class Retention:
    """Removes what a sweep need not keep, trial by trial.

    Args:
        folder: of the sweep.
        keep: how many trials that have ended or are paused keep their weights, 1 or more.
        mode: whether a score is to be small or large.
        remove: removes the weights of a trial; None takes them from the folder.
    """

    def __init__(
        self,
        folder: SweepFolder,
        *,
        keep: int,
        mode: Mode,
        remove: "Callable[[str, int], Removed] | None" = None,
    ) -> None:
        self._folder = folder
        self._remove = remove or partial(remove_weights, folder)
        self._keep = keep
        self._mode: Mode = mode
        self._references = References(folder.path.parent)
        self._best: list[tuple[tuple[float, int], str]] = []
        # Beyond the best, and yet kept: the winner of a tie, and what something refers to.
        self._spared: set[str] = set()
        self._gone: set[str] = set()

    def resting(self, scores: Mapping[str, float | None], winner: str | None) -> list[Removed]:
        """Take in trials that have ended or are paused, and remove what is then beyond the K best.

        Args:
            scores: trial -> best score; None where it has none.
            winner: the trial whose model is, or is about to be, in `best/`; it is left alone.

        Raises:
            StorageError: the disk refused.
        """
        for trial_id, score in scores.items():
            self._forget(trial_id)
            if score is None:
                self._spared.add(trial_id)
                continue
            insort(self._best, (rank(trial_id, score, self._mode), trial_id))
            if len(self._best) > self._keep:
                self._spared.add(self._best.pop()[1])
        # A trial that was paused may have lost its weights then.
        self._spared -= self._gone
        candidates = self._spared - {winner}
        if not candidates:
            return []
        candidates -= self._references.trials(self._folder)
        self._spared -= candidates
        self._gone |= candidates
        removed = [self._remove(trial_id, self._keep) for trial_id in sorted(candidates)]
        return [one for one in removed if one.size]

    def woken(self, trial_id: str) -> None:
        """A paused trial goes on: its model is left alone."""
        self._forget(trial_id)
        self._gone.discard(trial_id)

    def _forget(self, trial_id: str) -> None:
        self._best = [entry for entry in self._best if entry[1] != trial_id]
        self._spared.discard(trial_id)


def remove_weights(folder: SweepFolder, trial_id: str, keep: int) -> Removed:
    """Remove the weights of one trial, and say so in its folder and in the log; nothing where there are none.

    Raises:
        StorageError: the disk refused.
    """
    model = folder.trial(trial_id) / "best"
    files = list(weights(model))
    size = sum(map(_size, files))
    if not files:
        return Removed(trial_id, 0)

    def tell() -> None:
        tell_removed(folder, trial_id, keep, size)

    with storage_errors(folder.path):
        told = True
        try:
            # First, so that nothing is ever gone without a word.
            with storage_errors(folder.path):
                tell()
        except StorageError:
            told = False
        for file in files:
            file.unlink(missing_ok=True)
        if not told:
            tell()  # the disk was full, and now has room
    return Removed(trial_id, size)


def tell_removed(folder: SweepFolder, trial_id: str, keep: int, size: int) -> None:
    """Say in a trial's folder and in the log that its weights, of so many bytes, are gone."""
    why = f"trial {trial_id} is not among the {keep} best" if keep > 1 else f"trial {trial_id} is not the best"
    when = datetime.now(UTC).isoformat(timespec="seconds")
    model = folder.trial(trial_id) / "best"
    leave_note(
        model,
        f"its weights were removed on {when}, because {why} of sweep {folder.name}. Choose {folder.best} or "
        "another trial's model; `ecgtune sweep ... --keep K` keeps the models of more trials.",
    )
    log(folder, [model], size, f"weights: {why}")


def log(folder: SweepFolder, what: Iterable[Path], size: int, why: str) -> None:
    """Add one line to the sweep's `retention.log`: UTC time, what was removed, bytes, why."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    names = ", ".join(path.relative_to(folder.path).as_posix() for path in what)
    with folder.retention_log.open("a", encoding="utf-8") as file:
        file.write(f"{when}\t{names}\t{size}\t{why}\n")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
