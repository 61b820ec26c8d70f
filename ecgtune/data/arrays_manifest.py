"""The manifest and the description of a folder of arrays, with all of their mistakes at once (see `arrays`)."""

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Any, cast, get_args

from ecgtune.data.recording import Kind
from ecgtune.data.store import Target
from ecgtune.errors import DataError

MANIFEST, DESCRIPTION = "manifest.csv", "dataset.toml"
NEEDED, OPTIONAL = ("file", "subject", "stimulus", "sfreq"), ("kind", "leads")
PREFIX = "target_"
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class ManifestRow:
    """A recording's row; `number` counts lines from 1, the header's being 1."""

    number: int
    path: Path
    subject: str
    stimulus: str
    sfreq: float
    kind: Kind
    leads: tuple[str, ...]
    labels: Mapping[str, float]


@dataclass(frozen=True)
class Description:
    """What `dataset.toml` says, or its defaults."""

    name: str | None
    targets: tuple[Target, ...]


def read_manifest(folder: Path, mistakes: list[str]) -> tuple[list[ManifestRow], list[str]]:
    """The rows without a mistake, and the names of the targets; what is wrong is added to `mistakes`.

    Raises:
        DataError: there is no manifest, or it is not a table with the needed columns.
    """
    path = folder / MANIFEST
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, restkey="", restval="")
            columns, rows = list(table.fieldnames or ()), [(table.line_num, row) for row in table]
    except FileNotFoundError as error:
        raise DataError(f"{folder} has no {MANIFEST}; it needs one with the columns {', '.join(NEEDED)}.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a CSV file: {error}.") from error
    missing = [column for column in NEEDED if column not in columns]
    if missing:
        found = ", ".join(map(repr, columns)) or "none"
        raise DataError(f"{path} lacks the columns {', '.join(missing)}; separated by commas it has: {found}.")
    targets = [column.removeprefix(PREFIX) for column in columns if column.startswith(PREFIX)]
    for column in columns:
        if columns.count(column) > 1 or column == PREFIX:
            mistakes.append(f"the column {column!r} is there twice, or lacks a name")
        elif column not in (*NEEDED, *OPTIONAL) and not column.startswith(PREFIX):
            allowed = ", ".join((*NEEDED, *OPTIONAL))
            mistakes.append(f"the column {column!r} is unknown; allowed are {allowed} and {PREFIX}... for scores")
    if not rows:
        mistakes.append("it has no rows, so there is no recording")
    seen: dict[Path, int] = {}
    made = [_row(number, row, folder, targets, seen, mistakes) for number, row in rows]
    return [row for row in made if row is not None], targets


def _row(
    number: int,
    row: Mapping[str, Any],
    folder: Path,
    targets: Sequence[str],
    seen: dict[Path, int],
    mistakes: list[str],
) -> ManifestRow | None:
    wrong: list[str] = []
    if row.get(""):
        wrong.append("it has more cells than the header")
    cells = {key: cell.strip() for key, cell in row.items() if isinstance(cell, str)}
    wrong.extend(f"{column} is empty" for column in NEEDED if not cells[column])
    path = folder / cells["file"]
    if cells["file"]:
        wrong += _path_mistakes(path, cells["file"], folder, seen, number)
    sfreq = _number(cells["sfreq"])
    if cells["sfreq"] and not (isfinite(sfreq) and sfreq > 0):
        wrong.append(f"sfreq is {cells['sfreq']!r}; a number of Hz above 0 is expected")
    kind = cells.get("kind") or "stimulus"
    if kind not in get_args(Kind):
        wrong.append(f"kind is {kind!r}; choose stimulus or baseline")
    leads = tuple(cells.get("leads", "").split())
    if len(set(leads)) < len(leads):
        wrong.append(f"leads names one lead twice: {' '.join(leads)}")
    scores = {target: cells[PREFIX + target] for target in targets}
    for target, score in scores.items():
        if kind == "baseline" and score:
            wrong.append(f"{PREFIX}{target} is {score!r}, but a baseline carries no score; leave it empty")
        elif score and score.lower() != "nan" and not isfinite(_number(score)):
            wrong.append(f"{PREFIX}{target} is {score!r}; a number is expected, or nothing")
    mistakes.extend(f"row {number}: {mistake}" for mistake in wrong)
    if wrong:
        return None
    labels = {} if kind == "baseline" else {target: _number(score) for target, score in scores.items()}
    return ManifestRow(number, path, cells["subject"], cells["stimulus"], sfreq, cast("Kind", kind), leads, labels)


def _path_mistakes(path: Path, name: str, folder: Path, seen: dict[Path, int], number: int) -> list[str]:
    resolved = path.resolve()
    if Path(name).is_absolute() or not resolved.is_relative_to(folder.resolve()):
        return [f"the file {name} lies outside the folder"]
    if path.suffix not in (".npy", ".csv"):
        return [f"the file {name} is neither .npy nor .csv"]
    if not path.is_file():
        return [f"the file {name} does not exist"]
    if seen.setdefault(resolved, number) != number:
        return [f"the file {name} is in row {seen[resolved]} already"]
    return []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def read_description(folder: Path, columns: Sequence[str], mistakes: list[str]) -> Description:
    """The name and the targets of `columns`; what is wrong is added to `mistakes`."""
    path = folder / DESCRIPTION
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{DESCRIPTION}: {error}")
        content = {}
    for key in content.keys() - {"name", "targets"}:
        mistakes.append(f"{DESCRIPTION}: the key {key!r} is unknown; allowed are name and targets")
    name = content.get("name")
    if name is not None and not isinstance(name, str):
        mistakes.append(f"{DESCRIPTION}: name is {name!r}; a text is expected")
        name = None
    described = content.get("targets", {})
    if not isinstance(described, dict):
        mistakes.append(f"{DESCRIPTION}: targets is {described!r}; tables such as [targets.arousal] are expected")
        described = {}
    for target in described.keys() - set(columns):
        mistakes.append(f"{DESCRIPTION}: the target {target!r} has no column {PREFIX}{target} in {MANIFEST}")
    return Description(name, tuple(_target(column, described.get(column, {}), mistakes) for column in columns))


def _target(name: str, described: object, mistakes: list[str]) -> Target:
    where = f"{DESCRIPTION}: targets.{name}"
    if not isinstance(described, dict):
        mistakes.append(f"{where} is {described!r}; a table is expected")
        return Target(name, DEFAULT_THRESHOLD)
    for key in described.keys() - {"threshold", "description"}:
        mistakes.append(f"{where}: the key {key!r} is unknown; allowed are threshold and description")
    threshold, text = described.get("threshold", DEFAULT_THRESHOLD), described.get("description", "")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not isfinite(threshold):
        mistakes.append(f"{where}: threshold is {threshold!r}; a number is expected")
        threshold = DEFAULT_THRESHOLD
    if not isinstance(text, str):
        mistakes.append(f"{where}: description is {text!r}; a text is expected")
        text = ""
    return Target(name, float(threshold), text)
