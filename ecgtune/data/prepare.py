"""A reader's recordings to a data-set folder, one person at a time."""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgtune.data.overview import Overview, overview
from ecgtune.data.person import WindowedRecording
from ecgtune.data.preprocessing import Preparation
from ecgtune.data.reader import Reader
from ecgtune.data.store import COLUMNS, DatasetWriter
from ecgtune.data.workers import prepare_people
from ecgtune.errors import DataError
from ecgtune.files import refuse_existing, replaced_folder, sha256

_NOTES_IN_ERROR = 3


@dataclass(frozen=True)
class Summary:
    """What became of a data set.

    Args:
        folder: the data-set folder.
        fingerprint: SHA-256 over its windows, labels and rows.
        recordings: how many were read.
        kept: how many of them gave windows.
        notes: what was found odd, flagged as a whole, or dropped, and why.
        overview: what the folder holds.
    """

    folder: Path
    fingerprint: str
    recordings: int
    kept: int
    notes: tuple[str, ...]
    overview: Overview


def prepare(
    reader: Reader,
    out: Path,
    preparation: Preparation | None = None,
    *,
    overwrite: bool = False,
    workers: int | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Summary:
    """Prepare a data set; the folder appears when it is complete.

    Args:
        reader: of the raw files.
        out: the data-set folder to make.
        preparation: the parameters; None for the published ones.
        overwrite: whether a data-set folder at `out` may be replaced.
        workers: processes at work, see `ecgtune.data.workers`; the result does not depend on it.
        on_progress: told the persons done and their number (None where it is not known) after each.

    Raises:
        InputError: `out` exists, holds something else than a data set, or holds the raw files.
        DataError: a file cannot be read, or no window is left.
        StorageError: the disk refused a write.
    """
    preparation = preparation or Preparation()
    _refuse_harm(out, reader.sources, overwrite=overwrite)
    notes: list[str] = []
    rows: list[dict[str, Any]] = []
    scores: list[list[float]] = []
    recordings = kept = 0
    people = prepare_people(reader, preparation, workers)
    # Closed at once when anything fails, so that no process works on.
    with replaced_folder(out, overwrite=overwrite) as folder, closing(people):
        writer = DatasetWriter(folder, reader.name, preparation.n_times, reader.targets)
        for done, (read, windowed, dropped) in enumerate(people, start=1):
            notes.extend(dropped)
            recordings, kept = recordings + read, kept + len(windowed)
            for item in windowed:
                notes.extend(_unusable(item))
                for lead, windows in enumerate(item.windows):
                    writer.add(windows, added := item.rows(lead), item.labels)
                    rows.extend(added)
                    scores.extend([[item.labels.get(target.name, np.nan) for target in reader.targets]] * len(added))
            if on_progress:
                on_progress(done, reader.n_subjects)
        notes = [*reader.notes, *notes]
        if not rows:
            raise DataError(_nothing_left(reader.name, notes))
        counts = overview(
            pd.DataFrame(rows, columns=list(COLUMNS)),
            np.asarray(scores, dtype=np.float32).reshape(len(rows), len(reader.targets)),
            reader.targets,
        )
        fingerprint = writer.finish(
            sfreq=preparation.sfreq,
            details={
                "preparation": asdict(preparation),
                "sources": _provenance(reader.sources),
                "recordings": {"read": recordings, "kept": kept},
                "counts": counts.as_dict(),
                "notes": notes,
            },
        )
    return Summary(out, fingerprint, recordings, kept, tuple(notes), counts)


def _refuse_harm(out: Path, sources: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse to replace anything but a data-set folder, and never the folder with the raw files."""
    refuse_existing(out, overwrite=overwrite)
    if not out.exists():
        return
    if out.is_file() or (any(out.iterdir()) and not (out / "dataset.json").is_file()):
        raise DataError(f"{out} is not a data-set folder, so it is not replaced. Choose another place for --out.")
    inside = [source for source in sources if source.resolve().is_relative_to(out.resolve())]
    if inside:
        raise DataError(f"{out} holds the raw file {inside[0].name}, so it is not replaced. Choose another --out.")


def _unusable(item: WindowedRecording) -> list[str]:
    """A note for each lead of a recording of which every window has a flag."""
    notes = []
    for lead, quality in zip(item.leads, item.quality, strict=True):
        if all(quality):
            reasons = sorted({flag for flags in quality for flag in flags.split("+")})
            where = f"{item.subject} {item.stimulus}, lead {lead}"
            notes.append(f"{where}: no usable window, all {len(quality)} are flagged ({', '.join(reasons)})")
    return notes


def _nothing_left(name: str, notes: Sequence[str]) -> str:
    if not notes:
        return f"no recording was found for {name}."
    shown = "; ".join(notes[:_NOTES_IN_ERROR])
    more = f"; and {len(notes) - _NOTES_IN_ERROR} more like these" if len(notes) > _NOTES_IN_ERROR else ""
    return f"no window is left of {name}: {shown}{more}."


def _provenance(sources: Sequence[Path]) -> list[dict[str, Any]]:
    if not sources:
        return []
    root = Path(os.path.commonpath([source.resolve().parent for source in sources]))
    return [
        {
            "file": source.resolve().relative_to(root).as_posix(),
            "bytes": source.stat().st_size,
            "sha256": sha256(source),
        }
        for source in sources
    ]
