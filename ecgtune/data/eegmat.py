"""PhysioNet's "EEG During Mental Arithmetic Tasks" (Zyma et al. 2019), its ECG channel.

`SubjectNN_1.edf` is a person at rest, `SubjectNN_2.edf` the same person doing serial subtraction. Rest is one of the
two classes here, not a baseline: normalising by it would give that class away, so the set has no baseline recording.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.recording import Recording
from ecgtune.data.store import Target
from ecgtune.errors import DataError

CHANNEL = "ECG ECG"
_FILE = re.compile(r"(Subject\d+)_([12])\.edf", re.IGNORECASE)
_CONDITIONS = {"1": ("rest", 0.0), "2": ("arithmetic", 1.0)}


@dataclass
class EegmatReader:
    """Reads a folder of the set's EDF files; see `ecgtune.data.reader.Reader`."""

    folder: Path
    sources: tuple[Path, ...]
    notes: list[str] = field(default_factory=list)
    name: str = "eegmat"
    targets: tuple[Target, ...] = (Target("arithmetic", 0.5, "0 at rest, 1 during serial subtraction"),)

    @property
    def n_subjects(self) -> int:
        """Persons with at least one file."""
        return len({_subject(path) for path in self.sources})

    def subjects(self) -> Iterator[tuple[str, Sequence[Recording]]]:
        """Every person with one or two recordings.

        Raises:
            DataError: a file is no EDF, is cut short, or has no ECG channel.
        """
        for subject, paths in groupby(self.sources, key=_subject):
            recordings = [_read(path) for path in paths]
            if len(recordings) == 1:
                self.notes.append(f"{subject}: only {recordings[0].stimulus} was recorded")
            yield subject, recordings


def open_eegmat(folder: Path) -> EegmatReader:
    """Find the EDF files of a folder.

    Raises:
        DataError: the folder does not exist or holds none.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the one with the files SubjectNN_1.edf and SubjectNN_2.edf.")
    found = sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))
    if not found:
        raise DataError(f"{folder} holds no file named SubjectNN_1.edf (rest) or SubjectNN_2.edf (arithmetic).")
    return EegmatReader(folder, tuple(found))


def _subject(path: Path) -> str:
    return path.name.rsplit("_", 1)[0]


def _read(path: Path) -> Recording:
    import edfio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # edfio warns of a file that is cut short, and reads what is left of it
            file = edfio.read_edf(path)
            channels = {channel.label: channel for channel in file.signals}
            if CHANNEL not in channels:
                found = ", ".join(channels) or "none"
                raise DataError(f"{path} has no channel {CHANNEL!r}; its channels are: {found}.")
            samples = np.asarray(channels[CHANNEL].data, dtype=np.float64)
            sfreq = float(channels[CHANNEL].sampling_frequency)
    except (Warning, ValueError, LookupError, ArithmeticError, OSError) as error:
        raise DataError(f"{path} cannot be read as an EDF file: {error} Download it again.") from error
    matched = _FILE.fullmatch(path.name)
    stimulus, label = _CONDITIONS[matched[2] if matched else ""]
    return Recording(
        subject=_subject(path),
        stimulus=stimulus,
        signal=without_padding(samples, sfreq)[np.newaxis],
        sfreq=sfreq,
        labels={"arithmetic": label},
        source=path.name,
    )


def without_padding(samples: NDArray[np.float64], sfreq: float) -> NDArray[np.float64]:
    """Cut off the end of a file that stands still: the last value held for a second, then 0 for another.

    Args:
        samples: [n_times].
        sfreq: in Hz; a constant stretch of less than a quarter of a second is left.
    """
    tolerance = 1e-3 * float(np.ptp(samples)) if len(samples) else 0.0
    while len(samples):
        moving = np.flatnonzero(np.abs(samples - samples[-1]) > tolerance)
        end = int(moving[-1]) + 1 if len(moving) else 0
        if end == 0 or len(samples) - end < sfreq / 4:
            break
        samples = samples[:end]
    return samples
