"""The seam between a data set's files and their preparation."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ecgtune.data.recording import Recording
from ecgtune.data.store import Target


class Reader(Protocol):
    """Reads one data set, one person at a time, so that memory stays bounded by a person's recordings."""

    @property
    def name(self) -> str:
        """The data set, e.g. `eegmat`; its persons are known everywhere as `eegmat:Subject00`."""
        ...

    @property
    def targets(self) -> tuple[Target, ...]:
        """The labels that recordings may carry; empty for a set without labels."""
        ...

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every input file, for its SHA-256 in `dataset.json`."""
        ...

    @property
    def n_subjects(self) -> int | None:
        """How many persons there will be, None where only reading tells."""
        ...

    @property
    def notes(self) -> list[str]:
        """What was found odd or dropped, and why; complete once `subjects` is exhausted."""
        ...

    def subjects(self) -> Iterator[tuple[str, Sequence[Recording]]]:
        """Every person with all of their recordings together, since normalisation needs them all.

        Raises:
            DataError: a file cannot be read or is not what the data set's format says.
        """
        ...
