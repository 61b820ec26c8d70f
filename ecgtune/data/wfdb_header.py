"""The records of a WFDB folder, found and checked by their headers alone.

Formats and sizes: WFDB Applications Guide, header(5) and signal(5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import wfdb

from ecgtune.data.naming import list_mistakes
from ecgtune.errors import DataError

_BYTES_PER_SAMPLE = dict.fromkeys(("8", "80"), Fraction(1))
_BYTES_PER_SAMPLE |= dict.fromkeys(("16", "61", "160"), Fraction(2))
_BYTES_PER_SAMPLE |= dict.fromkeys(("310", "311"), Fraction(4, 3))
_BYTES_PER_SAMPLE |= {"212": Fraction(3, 2), "24": Fraction(3), "32": Fraction(4)}
_COMPRESSED = {"508", "516", "524"}


@dataclass(frozen=True)
class WfdbRecord:
    """A record that can be read.

    Args:
        name: its path below the folder, without `.hea`, e.g. `100` or `p01/rest`.
        path: the same for `wfdb.rdrecord`.
        sfreq: in Hz.
        n_times: samples per signal; None where only reading tells.
        files: the header and everything it refers to.
    """

    name: str
    path: Path
    sfreq: float
    n_times: int | None
    files: tuple[Path, ...]


def find_records(folder: Path) -> tuple[list[WfdbRecord], list[str]]:
    """Find every record in a folder and its sub-folders, in the order of their names.

    The segments of a multi-segment record belong to it and are not listed on their own.

    Returns:
        The records, and a note for each header that has no signal.

    Raises:
        DataError: no folder, no header in it, or headers and signal files that do not fit: all of them at once.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; a folder with WFDB records (.hea and .dat files) is expected.")
    paths = sorted(path.with_suffix("") for path in folder.rglob("*.hea"))
    if not paths:
        raise DataError(f"{folder} has no WFDB record: no .hea file was found in it or in its sub-folders.")
    mistakes: list[str] = []
    headers: dict[Path, Any] = {}
    for path in paths:
        try:
            headers[path] = wfdb.rdheader(str(path))
        except Exception as error:  # the parser raises whatever it stumbles on
            mistakes.append(f"{_name(path, folder)}.hea is not a WFDB header ({error})")
    segments = {path: _segments(path, header) for path, header in headers.items()}
    owned = {segment for parts in segments.values() for segment in parts}
    records, notes = [], []
    for path, header in headers.items():
        for part in segments[path]:
            if part not in headers:
                mistakes.append(f"{_name(path, folder)}.hea names the segment {part.name}, which has no .hea file")
        mistakes.extend(f"{_name(path, folder)}.hea {mistake}" for mistake in _mistakes(path, header))
        if path in owned:
            continue
        if not header.n_sig:
            notes.append(f"{_name(path, folder)}: left out, its header names no signal.")
            continue
        parts = [path, *(part for part in segments[path] if part in headers)]
        files = [file for part in parts for file in (part.with_suffix(".hea"), *_signal_files(part, headers[part]))]
        records.append(
            WfdbRecord(_name(path, folder), path, float(header.fs), header.sig_len or None, tuple(dict.fromkeys(files)))
        )
    if mistakes:
        raise DataError(list_mistakes(folder, mistakes))
    if not records:
        raise DataError(f"{folder} has {len(paths)} WFDB headers, but none of them names a signal.")
    return records, notes


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _segments(path: Path, header: Any) -> list[Path]:
    names: Sequence[str] = getattr(header, "seg_name", None) or ()
    # "~" is a gap; wfdb itself refuses separators in these names.
    return [path.with_name(name) for name in dict.fromkeys(names) if name != "~"]


def _signal_files(path: Path, header: Any) -> list[Path]:
    names: Sequence[str] = getattr(header, "file_name", None) or ()
    return [path.with_name(name) for name in dict.fromkeys(names) if name != "~"]


def _mistakes(path: Path, header: Any) -> list[str]:
    mistakes = []
    if not header.fs or not header.fs > 0:
        mistakes.append(f"gives the sampling rate {header.fs} Hz; it must be above 0")
    names: Sequence[str] = getattr(header, "file_name", None) or ()
    if header.n_sig and not names and not getattr(header, "seg_name", None):
        mistakes.append(f"announces {header.n_sig} signals and describes none")
    for file in _signal_files(path, header):
        mine = [index for index, name in enumerate(names) if name == file.name]
        mistakes.extend(_file_mistakes(file, header, mine))
    return mistakes


def _file_mistakes(file: Path, header: Any, mine: Sequence[int]) -> list[str]:
    formats = {str(header.fmt[index]) for index in mine}
    unknown = formats - _BYTES_PER_SAMPLE.keys() - _COMPRESSED
    if unknown:
        return [f"gives {file.name} the unknown signal format {', '.join(sorted(unknown))}"]
    if not file.is_file():
        return [f"names the signal file {file.name}, which is missing"]
    if len(formats) == 1 and header.sig_len and not formats & _COMPRESSED:
        frame = sum(header.samps_per_frame[index] or 1 for index in mine)
        # Packed formats may leave out the last sample's unused bytes, so the size is rounded down.
        expected = int(header.sig_len * frame * _BYTES_PER_SAMPLE[formats.pop()]) + (header.byte_offset[mine[0]] or 0)
        found = file.stat().st_size
        if found < expected:
            return [f"describes {expected} bytes in {file.name}, which has {found}: it is truncated"]
    return []
