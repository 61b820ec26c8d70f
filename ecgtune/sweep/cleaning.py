"""What old sweeps leave behind and nobody needs: first found, then removed, each under its sweep's own lock."""

import csv
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ecgtune.errors import InputError
from ecgtune.files import folder_size, storage_errors
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.keeper import STATE
from ecgtune.sweep.lock import driving
from ecgtune.sweep.promote import promoted
from ecgtune.sweep.references import References
from ecgtune.sweep.retention import KEEP, beyond, log, remove_weights
from ecgtune.sweep.storage import cleaning, driver
from ecgtune.training.removed import weights

Kind: TypeAlias = Literal["weights", "state", "leftover", "lock", "sweep"]
# A writer that is younger may be at work.
_LEFTOVER_SECONDS = 86_400
# The others run, or wait to be taken up again.
_ENDED = ("COMPLETE", "PRUNED", "FAILED")
# As `ecgtune.files` names what is not whole yet, and what it has just replaced.
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}(\.old)?")
_WRITTEN = ("sweep.toml", "trials.csv", "epochs.csv", "best", "model.json", "state.pt", "error.txt", "memory.txt")


@dataclass(frozen=True)
class Item:
    """Something that can go.

    Args:
        kind: `weights` of a trial that is not among the best; `state` of a trial that has ended; `leftover` of a
            writer that died; `lock` that nobody holds; or a whole `sweep`.
        path: of the file or folder; for weights the model's folder, which stays.
        size: bytes.
    """

    kind: Kind
    path: Path
    size: int


@dataclass(frozen=True)
class Cleaning:
    """What can go from one sweep.

    Args:
        folder: of the sweep.
        keep: how many trials keep their weights.
        items: what can go.
        skipped: why the sweep is left alone; empty where it is not.
    """

    folder: SweepFolder
    keep: int
    items: tuple[Item, ...]
    skipped: str = ""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(item.size for item in self.items)


def find(folder: SweepFolder, references: References, keep: int | None = None) -> Cleaning:
    """What can go from a sweep that stays.

    Args:
        folder: of the sweep.
        references: to models in its results folder.
        keep: how many trials keep their weights; None means as many as the sweep was run with.

    Raises:
        InputError: it is no sweep.
    """
    content = folder.read()
    wanted = keep or content.get("resources", {}).get("keep") or KEEP
    driving_it = driver(folder)
    if driving_it is not None:
        return Cleaning(folder, wanted, (), f"it is being run by {driving_it}")
    lock = (Item("lock", folder.lock, 0),) if folder.lock.exists() else ()
    items = (*_of_trials(folder, content, references, wanted), *_leftovers(folder), *lock)
    return Cleaning(folder, wanted, items)


def find_entirely(folders: Collection[SweepFolder], references: References) -> list[Cleaning]:
    """Whole sweeps.

    Raises:
        InputError: one of them is no sweep, is a link, is being run, or something that stays stands on it.
    """
    going = {folder.path.resolve() for folder in folders}
    found = []
    for folder in folders:
        folder.read()
        if folder.path.is_symlink():
            raise InputError(f"{folder.path} is a link: it is left alone. Remove it and what it leads to yourself.")
        driving_it = driver(folder)
        if driving_it is not None:
            raise InputError(f"{folder.name} is being run by {driving_it}. Stop it with Ctrl-C there first.")
        standing = sorted({reference.by.name for reference in references.to(folder) if reference.by not in going})
        if standing:
            raise InputError(
                f"{folder.name} is needed by {', '.join(standing)}, which would stand on nothing without it. Name "
                "what needs it as well, or leave out --entirely to remove only what is not needed."
            )
        found.append(Cleaning(folder, 0, (Item("sweep", folder.path, folder_size(folder.path)),)))
    return found


def clean(shown: Cleaning, references: References) -> Cleaning:
    """Remove what was shown, as far as it can still go; gives what went.

    Raises:
        StorageError: the disk refused.
    """
    folder = shown.folder
    try:
        with driving(folder.lock), cleaning(folder), storage_errors(folder.path):
            if any(item.kind == "sweep" for item in shown.items):
                _remove_sweep(folder)
                return shown
            # The shown list is as old as the user's answer. The lock is ours, so it does not count as one to go.
            going = {item.path for item in (*_again(shown, references), *_locks(shown))}
            gone = tuple(item for item in shown.items if item.path in going)
            for item in gone:
                _remove(folder, item, shown.keep)
    except InputError as error:
        return replace(shown, items=(), skipped=str(error))
    return replace(shown, items=gone)


def _again(shown: Cleaning, references: References) -> Iterator[Item]:
    yield from _of_trials(shown.folder, shown.folder.read(), references, shown.keep)
    yield from _leftovers(shown.folder)


def _locks(shown: Cleaning) -> Iterator[Item]:
    return (item for item in shown.items if item.kind == "lock")


def _of_trials(folder: SweepFolder, content: Mapping[str, Any], references: References, keep: int) -> Iterator[Item]:
    settings = content.get("sweep", {})
    scores = _scores(folder, str(settings.get("metric")))
    winner = promoted(folder)
    needed = references.trials(folder) | ({winner[0]} if winner else set())
    for trial_id in sorted(beyond(scores, keep, settings.get("mode", "min")) - needed):
        size = sum(file.stat().st_size for file in weights(folder.trial(trial_id) / "best"))
        if size:
            yield Item("weights", folder.trial(trial_id) / "best", size)
    for trial_id in sorted(scores):
        for file in sorted(folder.trial(trial_id).glob(f"{STATE}*")):
            yield Item("state", file, file.stat().st_size)


def _scores(folder: SweepFolder, metric: str) -> dict[str, float | None]:
    """The best score of each trial that has ended."""
    if not folder.trials_table.is_file():
        return {}
    rows = csv.DictReader(folder.trials_table.read_text(encoding="utf-8").splitlines())
    return {row["trial_id"]: float(row[metric]) if row.get(metric) else None for row in rows if row["state"] in _ENDED}


def _leftovers(folder: SweepFolder) -> Iterator[Item]:
    for path in sorted(folder.path.rglob(".*")):
        match = _LEFTOVER.fullmatch(path.name)
        if match is None or path.is_symlink() or any(_LEFTOVER.fullmatch(parent.name) for parent in path.parents):
            continue
        # So may somebody's own file be named; ours have what they were to be beside them, or are known by name.
        if not path.with_name(match["name"]).exists() and match["name"] not in _WRITTEN:
            continue
        # A writer of a folder that died between its two moves has left the only model there is.
        if path.is_dir() and not path.with_name(match["name"]).exists():
            continue
        inside = [path, *path.rglob("*")]
        if time.time() - max(each.lstat().st_mtime for each in inside) > _LEFTOVER_SECONDS:
            yield Item("leftover", path, sum(each.lstat().st_size for each in inside if each.is_file()))


_WHY = {"state": "state: the trial has ended", "leftover": "leftover: its writer died"}


def _remove(folder: SweepFolder, item: Item, keep: int) -> None:
    if item.kind == "lock":
        return  # goes with our own
    if item.kind == "weights":
        remove_weights(folder, item.path.parent.name, keep)
        return
    log(folder, [item.path], item.size, _WHY[item.kind])
    if item.path.is_dir():
        shutil.rmtree(item.path)
    else:
        item.path.unlink(missing_ok=True)


def _remove_sweep(folder: SweepFolder) -> None:
    """Its definition last: what is left of an interrupted removal can then be removed as a sweep."""
    for path in folder.path.iterdir():
        if path == folder.definition:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    folder.definition.unlink()
    folder.path.rmdir()
