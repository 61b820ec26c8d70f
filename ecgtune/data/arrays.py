"""Anyone's data: one `.npy` or `.csv` file per recording, and a `manifest.csv` that says what each one is.

    manifest.csv
        file        path below the folder, `.npy` or `.csv`
        subject     the person; the same word in all of their rows
        stimulus    what they saw or did
        sfreq       samples per second, in Hz
        kind        stimulus or baseline; may be left out, empty means stimulus
        leads       names separated by spaces, as in `I II`; may be left out
        target_X    a score of the target X, e.g. target_arousal; empty where there is none. A baseline has none.
    dataset.toml    may be left out
        name = "mine"                  # default: the folder's name
        [targets.arousal]              # default: a score above 0.5 is the positive class
        threshold = 3
        description = "self-rating from 1 to 5"

A `.npy` file holds numbers of the shape [n_times] or [n_leads, n_times]. A `.csv` file has one row per time and one
column per lead, with the leads' names as its first row or without. Targets are in the order of the manifest's columns.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.arrays_manifest import DESCRIPTION, MANIFEST, ManifestRow, read_description, read_manifest
from ecgtune.data.naming import dataset_name, list_mistakes
from ecgtune.data.recording import Recording
from ecgtune.data.store import Target
from ecgtune.errors import DataError


@dataclass
class ArraysReader:
    """Reads a folder of arrays person by person; see `open_arrays`."""

    name: str
    targets: tuple[Target, ...]
    people: Mapping[str, Sequence[ManifestRow]]
    sources: tuple[Path, ...]
    notes: list[str] = field(default_factory=list)

    @property
    def n_subjects(self) -> int:
        """The number of persons."""
        return len(self.people)

    def subjects(self) -> Iterator[tuple[str, Sequence[Recording]]]:
        """Every person with their recordings, in the order of the manifest."""
        for subject, rows in self.people.items():
            yield subject, [_read(row) for row in rows]


def open_arrays(folder: Path) -> ArraysReader:
    """Open a folder of arrays and check all that can be told before reading the signals.

    Raises:
        DataError: no manifest, or mistakes in the manifest, in `dataset.toml` or in the arrays' shapes: all at once.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; a folder with a {MANIFEST} and its arrays is expected.")
    mistakes: list[str] = []
    rows, names = read_manifest(folder, mistakes)
    description = read_description(folder, names, mistakes)
    for row in rows:
        if row.path.suffix == ".npy":
            try:
                _check_shape(row, _load(row.path))
            except DataError as error:
                mistakes.append(f"row {row.number}: {error}")
    if mistakes:
        raise DataError(list_mistakes(folder / MANIFEST, mistakes))
    people: dict[str, list[ManifestRow]] = {}
    for row in rows:
        people.setdefault(row.subject, []).append(row)
    frame = [path for path in (folder / MANIFEST, folder / DESCRIPTION) if path.is_file()]
    return ArraysReader(
        dataset_name(folder, description.name, "arrays"),
        description.targets,
        people,
        (*frame, *(row.path for row in rows)),
    )


def _load(path: Path) -> NDArray[np.generic]:
    """An array of a file, memory-mapped, with its type checked."""
    try:
        # It reads .npy files alone and refuses Python objects, whose unpickling runs whatever code the file holds.
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read as an .npy file of numbers: {str(error).rstrip('.')}.") from error
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path} does not hold real numbers.")
    return array


def _check_shape(row: ManifestRow, array: NDArray[np.generic]) -> None:
    shape = array.shape
    if array.ndim not in (1, 2) or array.size == 0:
        raise DataError(f"{row.path} has the shape {shape}; [n_times] or [n_leads, n_times] is expected.")
    if array.ndim == 2 and shape[0] > shape[1]:
        raise DataError(
            f"{row.path} has the shape {shape}, with more leads than times: rows are leads, columns are times. "
            "Transpose it."
        )
    n_leads = shape[0] if array.ndim == 2 else 1
    if row.leads and len(row.leads) != n_leads:
        raise DataError(f"{row.path} has {n_leads} leads, and the manifest names {len(row.leads)}.")


def _read(row: ManifestRow) -> Recording:
    named: tuple[str, ...] = ()
    if row.path.suffix == ".npy":
        signal = np.array(_load(row.path), dtype=np.float64, ndmin=2)
    else:
        table, named = _read_table(row.path)
        signal = table.T
        if row.leads and len(row.leads) != len(signal):
            raise DataError(f"{row.path} has {len(signal)} columns, and the manifest names {len(row.leads)} leads.")
    numbered = tuple(f"lead{number}" for number in range(1, len(signal) + 1)) if len(signal) > 1 else ("ecg",)
    return Recording(
        row.subject,
        row.stimulus,
        signal,
        row.sfreq,
        labels=row.labels,
        kind=row.kind,
        leads=row.leads or named or numbered,
        source=str(row.path),
    )


def _read_table(path: Path) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """A CSV file's numbers [n_times, n_leads], and the names in its first row where it has any."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next(csv.reader(file), [])
        has_names = bool(first) and not any(_is_number(cell) for cell in first)
        table = np.loadtxt(path, delimiter=",", skiprows=int(has_names), ndmin=2, encoding="utf-8-sig")
    except (OSError, ValueError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table of numbers: {error}.") from error
    names = tuple(name.strip() for name in first) if has_names else ()
    if not table.size or (names and len(set(names)) != table.shape[1]) or table.shape[1] > table.shape[0]:
        raise DataError(
            f"{path} has {table.shape[0]} rows and {table.shape[1]} columns of numbers; one row per time and one "
            "column per lead are expected, with different names for the leads or none."
        )
    return table, names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
