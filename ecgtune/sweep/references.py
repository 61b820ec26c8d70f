"""What later stages refer to: emotion sweeps and runs that stand on a pretext model."""

import json
import os
import tomllib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ecgtune.errors import InputError
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.paths import located

# The other folders of a project are looked at once, and no more than so many of them.
_NEIGHBOURS = 1000


@dataclass(frozen=True)
class Reference:
    """That a sweep or a run stands on a model, known by its place, by its sweep, or by both.

    Args:
        by: the folder of the sweep or the run.
        model: the model's folder, absolute; None where only the name is known.
        sweep: the name of the sweep that the model is of; None where it is of none.
        trial: of that sweep.
    """

    by: Path
    model: Path | None
    sweep: str | None
    trial: str | None


class References:
    """The references in a results folder, read again only where a file has changed.

    The folders beside the results folder are looked at too, once.

    Args:
        results: the results folder.
    """

    def __init__(self, results: Path) -> None:
        self._results = results.resolve()
        self._known: dict[Path, tuple[tuple[int, ...], Reference | None]] = {}
        self._beside: tuple[Reference, ...] | None = None

    def to(self, folder: SweepFolder) -> list[Reference]:
        """The references to models of a sweep, except its own."""
        place = folder.path.resolve()
        return [reference for reference in self._all() if reference.by != place and _concerns(reference, place)]

    def trials(self, folder: SweepFolder) -> set[str]:
        """The trials of a sweep that something refers to.

        A reference to `best/` is one to the trial that it was copied from: another may lie there one day.
        """
        trials = folder.path.resolve() / "trials"
        found = set()
        for reference in self.to(folder):
            if reference.model is not None and trials in reference.model.parents:
                found.add(reference.model.relative_to(trials).parts[0])
            if reference.sweep == folder.name and reference.trial is not None:
                found.add(reference.trial)
        return found

    def _all(self) -> list[Reference]:
        if self._beside is None:
            neighbours = (path for path in _folders(self._results.parent) if path != self._results)
            places = islice((place for near in neighbours for place in _folders(near)), _NEIGHBOURS)
            self._beside = tuple(filter(None, map(_read, places)))
        found = [*self._beside]
        for place in _folders(self._results):
            stamp = _stamp(place)
            if place not in self._known or self._known[place][0] != stamp:
                self._known[place] = stamp, _read(place)
            reference = self._known[place][1]
            if reference is not None:
                found.append(reference)
        return found


def _concerns(reference: Reference, place: Path) -> bool:
    inside = reference.model is not None and place in reference.model.parents
    # Another results folder may have a sweep of the same name.
    return inside or (reference.sweep == place.name and reference.by.parent == place.parent)


def _folders(place: Path) -> list[Path]:
    try:
        with os.scandir(place) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return []


def _stamp(place: Path) -> tuple[int, ...]:
    """Changes when what `_read` reads does."""
    stamp: list[int] = []
    for number, name in enumerate(("sweep.toml", "config.toml", "best/model.json")):
        try:
            status = (place / name).stat()
        except OSError:
            continue
        stamp += [number, status.st_mtime_ns, status.st_size]
        if number == 0:
            break
    return tuple(stamp)


def _read(place: Path) -> Reference | None:
    """What one sweep or run stands on; None where it stands on nothing, or cannot be read."""
    try:
        if (place / "sweep.toml").is_file():
            return _of_sweep(place)
        return _of_run(place) if (place / "config.toml").is_file() else None
    except (InputError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _of_sweep(place: Path) -> Reference | None:
    origin = SweepFolder(place).read().get("pretext")
    if origin is None:
        return None
    model = Path(located(origin["model"], SweepFolder(place)))
    return Reference(place, model, origin.get("sweep_name"), origin.get("sweep_trial"))


def _of_run(place: Path) -> Reference | None:
    """Of a run of `ecgtune train emotion`: its configuration knows the place, its card the sweep."""
    run = tomllib.loads((place / "config.toml").read_text(encoding="utf-8"))["run"]
    if "pretext" not in run:
        return None
    # Relative to where the command was given: most likely the project, which holds the results folder.
    model = (place.parent.parent / run["pretext"]).resolve()
    try:
        card = json.loads((place / "best" / "model.json").read_text(encoding="utf-8"))
    except OSError:
        return Reference(place, model, None, None)
    origin = card["pretext"].get("sweep", {})
    return Reference(place, model, origin.get("name"), origin.get("trial"))
