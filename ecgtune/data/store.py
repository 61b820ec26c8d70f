"""The data-set folder: `windows.npy`, `labels.npy`, `windows.csv`, `dataset.json`.

    windows.npy   [n_windows, n_times] float32, read memory-mapped, so that all processes of a machine share it
    labels.npy    [n_windows, n_targets] float32, NaN where a window has no label
    windows.csv   one row per window: subject, stimulus, lead, start (s), kind, quality
    dataset.json  name, sfreq, targets, preparation, sources with their SHA-256, fingerprint

`quality` is empty for a good window, else the reasons it is not, joined by `+`.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtune import __version__
from ecgtune.errors import DataError
from ecgtune.files import write_json

FORMAT = 1
COLUMNS = ("subject", "stimulus", "lead", "start", "kind", "quality")


@dataclass(frozen=True)
class Target:
    """A column of labels. A score above `threshold` is the positive class.

    Args:
        name: e.g. `arousal`.
        threshold: the default threshold, in the scores' own unit.
        description: the scale, for people.
    """

    name: str
    threshold: float
    description: str = ""


@dataclass(frozen=True)
class WindowDataset:
    """A data-set folder that was read; the windows stay on disk until they are indexed.

    Args:
        folder: where it was read from.
        name: the data set, e.g. `dreamer`. Persons are compared across folders as `name:subject`.
        windows: [n_windows, n_times] float32.
        labels: [n_windows, n_targets] float32, NaN for none.
        rows: one row per window with the columns of `COLUMNS`.
        targets: one per column of `labels`.
        sfreq: in Hz.
        info: the content of `dataset.json`.
    """

    folder: Path
    name: str
    windows: NDArray[np.float32]
    labels: NDArray[np.float32]
    rows: pd.DataFrame
    targets: tuple[Target, ...]
    sfreq: float
    info: Mapping[str, Any] = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over windows, labels and rows."""
        return str(self.info["fingerprint"])

    @cached_property
    def persons(self) -> NDArray[np.str_]:
        """[n_windows] `name:subject`, the identity that no split may divide."""
        return np.array([f"{self.name}:{subject}" for subject in self.rows["subject"]], dtype=np.str_)

    @cached_property
    def good(self) -> NDArray[np.bool_]:
        """[n_windows] whether the window has no quality flag."""
        return (self.rows["quality"] == "").to_numpy(dtype=np.bool_)

    def target(self, name: str | None = None) -> tuple[Target, NDArray[np.float32]]:
        """A target and its scores [n_windows]; the first target where `name` is None.

        Raises:
            DataError: the data set has no such target.
        """
        if not self.targets:
            raise DataError(f"{self.folder} has no labels, so it can serve the pretext stage only.")
        if name is None:
            name = self.targets[0].name
        for column, target in enumerate(self.targets):
            if target.name == name:
                return target, self.labels[:, column]
        known = ", ".join(target.name for target in self.targets)
        raise DataError(f"{self.folder} has no target {name!r}; it has: {known}.")


class DatasetWriter:
    """Writes a data-set folder window by window, so that memory does not grow with the data.

    Args:
        folder: an existing, empty folder (see `ecgtune.files.replaced_folder`).
        name: the data set.
        n_times: samples per window.
        targets: one per column of labels.
    """

    def __init__(self, folder: Path, name: str, n_times: int, targets: Sequence[Target]) -> None:
        self._folder = folder
        self._name = name
        self._n_times = n_times
        self._targets = tuple(targets)
        self._windows = (folder / "windows.npy").open("wb")
        self._header(0)
        self._rows: list[dict[str, Any]] = []
        self._labels: list[NDArray[np.float32]] = []

    def add(self, windows: NDArray[np.float32], rows: Sequence[Mapping[str, Any]], labels: Mapping[str, float]) -> None:
        """Append windows [n, n_times] with a row each; `labels` holds for all of them, absent means NaN."""
        scores = np.array([labels.get(target.name, np.nan) for target in self._targets], dtype=np.float32)
        # Not `tofile`, whose error does not tell a full disk from anything else.
        self._windows.write(np.ascontiguousarray(windows, dtype=np.float32).data)
        self._rows.extend(dict(row) for row in rows)
        self._labels.append(np.tile(scores, (len(windows), 1)))

    def finish(self, *, sfreq: float, details: Mapping[str, Any]) -> str:
        """Write the remaining files and return the fingerprint.

        Args:
            sfreq: of the windows, in Hz.
            details: more for `dataset.json`: preparation, sources, what was dropped.

        Raises:
            DataError: no window was added.
        """
        if not self._rows:
            self._windows.close()
            raise DataError("no window is left: every recording is shorter than one window, or was dropped.")
        shape = (len(self._rows), self._n_times)
        self._windows.seek(0)
        self._header(shape[0])
        self._windows.close()
        labels = np.concatenate(self._labels).reshape(len(self._rows), len(self._targets))
        buffer = io.BytesIO()
        np.save(buffer, labels)
        (self._folder / "labels.npy").write_bytes(buffer.getbuffer())
        rows = pd.DataFrame(self._rows, columns=list(COLUMNS))
        rows.to_csv(self._folder / "windows.csv", index=False)
        fingerprint = fingerprint_of(self._folder)
        write_json(
            self._folder / "dataset.json",
            {
                "format": FORMAT,
                "name": self._name,
                "fingerprint": fingerprint,
                "n_windows": shape[0],
                "n_times": shape[1],
                "sfreq": sfreq,
                "targets": [asdict(target) for target in self._targets],
                **details,
                "ecgtune": __version__,
            },
        )
        return fingerprint

    def _header(self, n_windows: int) -> None:
        # NumPy pads a header so that the first axis can grow in place: both headers have the same length.
        shape = (n_windows, self._n_times)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._windows, header)


# Data sets that this process has without their folders.
_MOUNTED: dict[str, WindowDataset] = {}


def mount(dataset: WindowDataset) -> None:
    """Have `load_dataset` give this data set for its folder, which need not exist on this machine."""
    _MOUNTED[str(dataset.folder)] = dataset


def load_dataset(folder: Path) -> WindowDataset:
    """Read a data-set folder; the windows are memory-mapped.

    Raises:
        DataError: the folder is missing, incomplete, of a newer format, cannot be read, or its parts do not fit
            together; or it is a file.
    """
    if str(folder) in _MOUNTED:
        return _MOUNTED[str(folder)]
    try:
        info = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        windows = np.load(folder / "windows.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / "labels.npy", allow_pickle=False)
        text = {name: str for name in COLUMNS if name != "start"}
        rows = pd.read_csv(folder / "windows.csv", dtype=text, keep_default_na=False)
        targets = tuple(Target(**target) for target in info["targets"])
        expected, name, sfreq = (info["n_windows"], info["n_times"]), info["name"], float(info["sfreq"])
        written_as, _ = info["format"], info["fingerprint"]
    except OSError as error:
        raise DataError(_refused(folder, error)) from error
    except (ValueError, KeyError, TypeError, EOFError) as error:
        reason = f"dataset.json has no {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{folder} cannot be read: {reason}. Make it again with `ecgtune data prepare`.") from error
    if written_as != FORMAT:
        raise DataError(f"{folder} has format {written_as}; this version reads format {FORMAT}. Prepare it again.")
    if absent := [name for name in COLUMNS if name not in rows.columns]:
        raise DataError(f"{folder}: windows.csv has no column {', '.join(absent)}. Prepare it again.")
    if windows.shape != expected or len(rows) != len(windows) or labels.shape != (len(windows), len(targets)):
        raise DataError(f"{folder} is incomplete: its files disagree on the number of windows. Prepare it again.")
    return WindowDataset(folder, name, windows, labels, rows, targets, sfreq, info)


def _refused(folder: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        if not folder.exists():
            return f"there is no folder {folder}; a data-set folder is needed. Make one with `ecgtune data prepare`."
        missing = Path(str(error.filename)).name
        return f"{folder} is not a data-set folder: it has no {missing}. Make one with `ecgtune data prepare`."
    if isinstance(error, NotADirectoryError):
        raw = f"dreamer {folder}" if folder.suffix.lower() == ".mat" else "FORMAT RAW"
        return (
            f"{folder} is a file, and a data-set folder is needed. Is it a raw file? Then make a folder of it first, "
            f"with `ecgtune data prepare {raw} --out FOLDER`, and give that."
        )
    return f"{folder} cannot be read: {Path(str(error.filename)).name}: {error.strerror}."


def fingerprint_of(folder: Path) -> str:
    """SHA-256 over the windows, labels and rows that lie in a folder."""
    digest = hashlib.sha256()
    for name in ("windows.npy", "labels.npy", "windows.csv"):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
