"""Several data sets behind one index, without copying them."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.store import WindowDataset
from ecgtune.errors import DataError


class WindowPool:
    """The good windows of one or more data sets, numbered 0..n-1 in the order of the data sets.

    Args:
        datasets: at least one; all with the same number of samples per window and the same `sfreq`.

    Raises:
        DataError: none given, different window lengths or rates, one folder twice, or no good window.
    """

    def __init__(self, datasets: Sequence[WindowDataset]) -> None:
        if not datasets:
            raise DataError("no data set was given.")
        shapes = {(dataset.windows.shape[1], dataset.sfreq) for dataset in datasets}
        if len(shapes) > 1:
            found = ", ".join(f"{d.folder}: {d.windows.shape[1]} samples at {d.sfreq:g} Hz" for d in datasets)
            raise DataError(f"the data sets do not fit together ({found}). Prepare them with the same settings.")
        if len({dataset.fingerprint for dataset in datasets}) < len(datasets):
            raise DataError("one data set was given twice: " + ", ".join(str(d.folder) for d in datasets))
        self.datasets = tuple(datasets)
        rows = [np.flatnonzero(dataset.good) for dataset in datasets]
        self._row = np.concatenate(rows)
        self._source = np.repeat(np.arange(len(datasets)), [len(part) for part in rows])
        if not len(self._row):
            raise DataError("no window is good: every one has a quality flag. See `ecgtune data info`.")

    def __len__(self) -> int:
        return len(self._row)

    @property
    def n_times(self) -> int:
        """Samples per window."""
        return int(self.datasets[0].windows.shape[1])

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the data sets are."""
        return tuple(dataset.folder for dataset in self.datasets)

    @cached_property
    def persons(self) -> NDArray[np.str_]:
        """[n] `data set:subject` of every window."""
        return np.concatenate([dataset.persons[dataset.good] for dataset in self.datasets])

    @property
    def fingerprint(self) -> str:
        """One SHA-256 for all data sets, in their order."""
        joined = "\n".join(dataset.fingerprint for dataset in self.datasets)
        return hashlib.sha256(joined.encode()).hexdigest()

    def take(self, index: NDArray[np.integer]) -> NDArray[np.float32]:
        """The windows of `index` [k] as a new array [k, n_times]."""
        out = np.empty((len(index), self.n_times), dtype=np.float32)
        source = self._source[index]
        for number, dataset in enumerate(self.datasets):
            mine = source == number
            if mine.any():
                out[mine] = dataset.windows[self._row[index[mine]]]
        return out
