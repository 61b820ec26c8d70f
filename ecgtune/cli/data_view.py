"""How `ecgtune data` shows what a data set holds."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ecgtune.data.overview import LabelCounts, Overview

NOTES_SHOWN = 20


def overview_table(counts: "Overview", *, seconds: float) -> Table:
    """The figures of a data set, one kind a line; `seconds` per window."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("people", str(counts.subjects))
    table.add_row(
        "windows", f"{counts.windows} of {seconds:g} s, {counts.good} good ({share(counts.good, counts.windows)})"
    )
    table.add_row("kinds", _listed(counts.kinds))
    table.add_row("leads", _listed(counts.leads))
    table.add_row("flagged", _listed(counts.quality) or "none")
    for label in counts.labels:
        table.add_row("label", _classes(label))
    if not counts.labels:
        table.add_row("labels", "none: for the pretext stage only")
    return table


def notes_list(notes: Sequence[str], *, where: str) -> Group:
    """What was found odd or dropped; a long list is cut, and its rest is in the file `where`."""
    lines = [Text(f"  - {note}") for note in notes[:NOTES_SHOWN]]
    if len(notes) > NOTES_SHOWN:
        lines.append(Text(f"  - and {len(notes) - NOTES_SHOWN} more, all of them in {where}"))
    return Group(Text(f"notes ({len(notes)})", style="bold"), *lines) if lines else Group()


def prepared_as(parameters: Mapping[str, Any]) -> str:
    """The preparation of a data set in one line, as `name value`, whatever its version knew."""
    shown = {name: ",".join(value) or "all" if isinstance(value, list) else value for name, value in parameters.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def share(part: int, whole: int) -> str:
    """A share as a percentage, never rounded up to the whole of it."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent if part == whole else min(percent, 99.9):.1f} %"


def _listed(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.items())


def _classes(label: "LabelCounts") -> str:
    text = f"{label.target}: {label.positive} good windows above {label.threshold:g}, {label.negative} not above it"
    text += f"; {label.subjects_with_both} people have both"
    return text + (f"; {label.unlabelled} without a score" if label.unlabelled else "")
