"""`ecgtune clean`: removes what old sweeps leave behind, showing first."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgtune.cli import options
from ecgtune.cli.console import stderr, stdout

if TYPE_CHECKING:
    from ecgtune.sweep.cleaning import Cleaning
    from ecgtune.sweep.folder import SweepFolder
    from ecgtune.sweep.references import References

# What each kind of item is called, for one and for several.
_KINDS = {
    "weights": ("trial's weights beyond the {keep} best", "trials' weights beyond the {keep} best"),
    "state": ("state of a trial that has ended", "states of trials that have ended"),
    "leftover": ("leftover of a writer that died", "leftovers of writers that died"),
    "lock": ("lock that nobody holds", "locks that nobody holds"),
    "sweep": ("whole sweep", "whole sweeps"),
}


def clean(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="The sweeps; default: all.")] = None,
    results: options.Results = Path("results"),
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=1, help="The models of so many trials stay; default: as the sweep was run with."),
    ] = None,
    entirely: Annotated[bool, typer.Option("--entirely", help="Remove the named sweeps as a whole.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; removes with --yes only.")] = False,
) -> None:
    """Remove what old sweeps no longer need, after showing it: models beyond the best, old states, leftovers.

    The cards and the predictions of all trials stay, and so does every model that another sweep stands on. A sweep
    that is running is left alone.

    ecgtune clean my-pretext --keep 1
    """
    from ecgtune.sweep.references import References
    from ecgtune.sweep.remote_results import refreshed

    # What stands on a model lies in other sweeps.
    refreshed(results)
    references = References(results)
    found = _found(names or [], results, keep, entirely, references)
    if not as_json:
        _show(found, results)
    removing = any(one.items for one in found) and (yes or (not as_json and _asked()))
    if removing:
        from ecgtune.sweep.cleaning import clean as remove

        found = [remove(one, references) if one.items else one for one in found]
    if as_json:
        typer.echo(json.dumps({"removed": removing, "sweeps": [_as_json(one) for one in found]}, indent=2))
    elif removing:
        stdout().print(f"removed {_megabytes(sum(one.size for one in found))}", soft_wrap=True)
    for one in found:
        if one.skipped:
            stderr().print(f"{one.folder.name} is left alone: {one.skipped}", soft_wrap=True, markup=False)


def _found(
    names: list[str], results: Path, keep: int | None, entirely: bool, references: "References"
) -> "list[Cleaning]":
    from ecgtune.errors import ConfigError
    from ecgtune.sweep.cleaning import find, find_entirely
    from ecgtune.sweep.folder import sweep_folder, sweeps
    from ecgtune.sweep.remote_results import bring_trials

    # Twice the same name is once too often.
    folders: list[SweepFolder] = [sweep_folder(results, name) for name in dict.fromkeys(names)]
    if not entirely:
        folders = folders or list(sweeps(results))
        for folder in folders:
            bring_trials(results, folder.name)
        return [find(folder, references, keep) for folder in folders]
    mistakes = []
    if not folders:
        mistakes.append("say which sweeps; it removes none that is not named")
    if keep is not None:
        mistakes.append("keeps nothing, so --keep has no meaning beside it")
    if mistakes:
        raise ConfigError("--entirely", mistakes)
    return find_entirely(folders, references)


def _show(found: "list[Cleaning]", results: Path) -> None:
    if not any(one.items for one in found):
        stdout().print(f"nothing to remove in {results}", soft_wrap=True, markup=False)
        return
    rows = [("sweep", "what can go", "MB")]
    for one in found:
        counts = Counter(item.kind for item in one.items)
        for kind, count in counts.items():
            size = sum(item.size for item in one.items if item.kind == kind)
            what = _KINDS[kind][count > 1].format(keep=one.keep).replace("the 1 best", "the best")
            rows.append((one.folder.name, f"{count} {what}", f"{size / 2**20:.1f}"))
    rows.append(("all", "", f"{sum(one.size for one in found) / 2**20:.1f}"))
    first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
    for name, what, megabytes in rows:
        line = f"{name.ljust(first)}  {what.ljust(second)}  {megabytes.rjust(third)}"
        stdout().print(line, soft_wrap=True, markup=False)


def _asked() -> bool:
    """Whether the user says yes; without a terminal nobody can."""
    if sys.stdin.isatty() and typer.confirm("Remove this?", default=False):
        return True
    stderr().print("nothing was removed; `ecgtune clean ... --yes` removes it without asking.", soft_wrap=True)
    return False


def _as_json(one: "Cleaning") -> dict[str, object]:
    items = [{"kind": item.kind, "path": str(item.path), "bytes": item.size} for item in one.items]
    return {"name": one.folder.name, "keep": one.keep, "skipped": one.skipped, "bytes": one.size, "items": items}


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:.1f} MB"
