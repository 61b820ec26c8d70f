"""`ecgtune status` and `ecgtune list`: how sweeps stand, read from their files."""

import json
import shlex
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgtune.cli import options
from ecgtune.cli.console import stdout

if TYPE_CHECKING:
    from ecgtune.sweep.overview import SweepOverview

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def status(
    name: Annotated[str, typer.Argument(help="The sweep.")],
    results: options.Results = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Show how a sweep stands, also while another terminal runs it.

    ecgtune status my-pretext
    """
    from ecgtune.sweep.folder import sweep_folder
    from ecgtune.sweep.overview import overview

    found = overview(sweep_folder(results, name))
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    for line in _lines(found, results):
        stdout().print(line, soft_wrap=True, markup=False)


def list_sweeps(results: options.Results = Path("results"), as_json: AsJson = False) -> None:
    """List the sweeps in the results folder, the oldest first."""
    from ecgtune.sweep.folder import sweeps
    from ecgtune.sweep.overview import overview

    found = [overview(folder) for folder in sweeps(results)]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    if not found:
        stdout().print(f"{results} has no sweep yet.", markup=False, soft_wrap=True)
        return
    rows = [("name", "stage", "state", "trials", "best", "size", "begun"), *map(_row, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        # Not a table of Rich's: that would break names where the terminal is narrow.
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        stdout().print(line.rstrip(), soft_wrap=True, markup=False)


def _row(one: "SweepOverview") -> tuple[str, ...]:
    best = f"{one.metric} {one.best.score:.4f}" if one.best else ""
    trials, begun = f"{one.n_ended}/{one.num_samples}", one.created[:16].replace("T", " ")
    return one.name, one.stage, one.state, trials, best, _size(one.size), begun


def _lines(found: "SweepOverview", results: Path) -> list[str]:
    from ecgtune.uri import uri_of

    by = f" by {found.owner}" if found.owner else ""
    lines = [
        f"{found.name}: {found.stage} sweep, {found.state}{by}; begun {found.created}, {_size(found.size)} on disk"
    ]
    how = ", ".join(f"{count} {kind}" for kind, count in sorted(found.ended.items()))
    lines.append(f"{found.n_ended} of {found.num_samples} trials have ended{': ' + how if how else ''}")
    if found.best:
        best = found.best
        lines.append(f"best: {found.metric} {best.score:.4f} in trial {best.trial_id}, epoch {best.epoch}")
    waiting = Counter(trial.epoch for trial in found.running if trial.waits)
    if waiting:
        where = ", ".join(f"{count} at epoch {epoch}" for epoch, count in sorted(waiting.items()))
        lines.append(f"{waiting.total()} trials wait, the best of which go on: {where}")
    for trial in found.running:
        if trial.waits:
            continue
        score = "" if trial.score is None else f", {found.metric} {trial.score:.4f}"
        verb = "runs" if found.owner else "waits to be resumed"
        lines.append(f"trial {trial.trial_id} {verb}: epoch {trial.epoch} of {found.max_epochs}{score}")
    if found.state == "interrupted":
        given = uri_of(results) or str(results)
        where = "" if results == Path("results") else f" --results {shlex.quote(given)}"
        command = f"sweep {found.stage} --name {found.name}{where} --resume"
        lines.append(f"go on with it:  ecgtune {command}")
        if found.address:
            lines.append(f"on a cluster, as before:  ecgtune submit --address http://HEAD:8265 -- {command}")
    return lines


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:.1f} MB"
