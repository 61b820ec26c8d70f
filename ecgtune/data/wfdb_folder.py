"""Any folder of WFDB records (PhysioNet's format), without labels: data for the pretext stage."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import wfdb

from ecgtune.data.naming import dataset_name, list_mistakes
from ecgtune.data.recording import Recording
from ecgtune.data.store import Target
from ecgtune.data.wfdb_header import WfdbRecord, find_records
from ecgtune.errors import DataError

# Records 201 and 202 of the MIT-BIH Arrhythmia Database come from one person (its documentation says so).
# They are known by their numbers, rate and length, so that a copy under another folder name cannot leak.
_MITDB_PAIR, _MITDB_SHAPE = ("201", "202"), (360.0, 650_000)


@dataclass
class WfdbReader:
    """Reads WFDB records person by person; see `open_wfdb`."""

    name: str
    people: Mapping[str, Sequence[WfdbRecord]]
    sources: tuple[Path, ...]
    notes: list[str] = field(default_factory=list)
    targets: tuple[Target, ...] = ()

    @property
    def n_subjects(self) -> int:
        """The number of persons."""
        return len(self.people)

    def subjects(self) -> Iterator[tuple[str, Sequence[Recording]]]:
        """Every person with their records, in the order of their names."""
        units: Counter[str] = Counter()
        for subject, records in self.people.items():
            yield subject, [_read(record, subject, units) for record in records]
        if set(units) != {"mV"}:
            found = ", ".join(f"{unit} ({count} leads)" for unit, count in units.most_common())
            self.notes.append(f"units: {found}; every lead is kept, whatever it measures.")


def open_wfdb(folder: Path, *, name: str | None = None, subjects: Path | None = None) -> WfdbReader:
    """Open a folder of WFDB records; sub-folders are searched too.

    Each record is taken for a person of its own, unless `subjects` tells otherwise. Records 201 and 202 of the
    MIT-BIH Arrhythmia Database are one person, which is known here. All leads are kept.

    Args:
        folder: with `.hea` and signal files.
        name: of the data set; the folder's name by default.
        subjects: a CSV file with the columns `record` and `subject`, one row for every record, for sets with
            several records of a person. A record's name has its sub-folder, as in `p01/rest`.

    Raises:
        DataError: no records, broken headers, missing or truncated signal files, or a wrong `subjects` file.
    """
    chosen = dataset_name(folder, name, "wfdb")
    records, notes = find_records(folder)
    if subjects is None:
        owner, known = _default_owners(records)
        notes += known
    else:
        owner = _read_owners(subjects, records)
    people: dict[str, list[WfdbRecord]] = {}
    for record in records:
        people.setdefault(owner[record.name], []).append(record)
    sources = [file for record in records for file in record.files]
    return WfdbReader(
        chosen,
        {person: people[person] for person in sorted(people)},
        tuple(dict.fromkeys([*sources, *([subjects] if subjects else [])])),
        notes,
    )


def _default_owners(records: Sequence[WfdbRecord]) -> tuple[dict[str, str], list[str]]:
    owner = {record.name: record.name for record in records}
    pair = [r for r in records if r.path.name in _MITDB_PAIR and (r.sfreq, r.n_times) == _MITDB_SHAPE]
    if len(pair) == len(_MITDB_PAIR):
        owner |= {record.name: pair[0].name for record in pair}
        return owner, [f"records {' and '.join(r.name for r in pair)} are one person (MIT-BIH), kept together."]
    return owner, []


def _read_owners(path: Path, records: Sequence[WfdbRecord]) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            columns, rows = table.fieldnames or [], list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a CSV file: {error}.") from error
    if not {"record", "subject"} <= set(columns):
        raise DataError(
            f"{path} has the columns {', '.join(map(repr, columns)) or 'none'}; it needs `record` and `subject`."
        )
    known = {record.name for record in records}
    owner: dict[str, str] = {}
    mistakes = []
    for number, row in enumerate(rows, start=2):
        record, subject = (row["record"] or "").strip(), (row["subject"] or "").strip()
        if not record or not subject:
            mistakes.append(f"row {number}: record or subject is empty")
        elif record not in known:
            mistakes.append(f"row {number}: there is no record {record!r} in the folder")
        elif owner.setdefault(record, subject) != subject:
            mistakes.append(f"row {number}: {record} was given to {owner[record]} before, here to {subject}")
    named = {(row["record"] or "").strip() for row in rows}
    mistakes += [f"the record {record} has no row" for record in sorted(known - named)]
    if mistakes:
        raise DataError(list_mistakes(path, mistakes))
    return owner


def _read(record: WfdbRecord, subject: str, units: Counter[str]) -> Recording:
    try:
        read = wfdb.rdrecord(str(record.path), return_res=32)
        signal = np.ascontiguousarray(np.asarray(read.p_signal, dtype=np.float32).T)
    except Exception as error:  # the library raises whatever it stumbles on
        raise DataError(f"{record.path}: its signals cannot be read ({error}).") from error
    units.update(unit or "no unit" for unit in read.units or [""] * len(signal))
    leads: list[str] = []
    for number, lead in enumerate(read.sig_name or [None] * len(signal), start=1):
        leads.append(lead if lead and lead not in leads else f"{lead or 'lead'}{number}")
    return Recording(subject, record.name, signal, float(read.fs), leads=tuple(leads), source=str(record.path))
