"""A results folder that stands for a URI: which sweeps, models and trials have to be brought here, and when."""

import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ecgtune.data.cache import alone, cache_folder
from ecgtune.remote import Remote
from ecgtune.sweep.lock import owner
from ecgtune.sweep.mirror import SweepMirror
from ecgtune.uri import is_uri, stand_for, uri_of


def mirror_folder(uri: str) -> Path:
    """The folder here that stands for a results folder at a URI.

    Raises:
        InputError: it is no URI of a place for files.
    """
    Remote(uri)
    digest = hashlib.sha256(uri.encode()).hexdigest()[:12]
    folder = cache_folder() / "remote" / digest / "results"
    stand_for(folder, uri)
    return folder


def refreshed(results: Path, names: Iterable[str] | None = None) -> None:
    """Bring sweeps here from the URI that a results folder stands for; nothing where it stands for itself.

    A sweep that this machine drives is left as it is: nobody knows it better.

    Args:
        results: the results folder.
        names: of the sweeps; None means all.

    Raises:
        RemoteError: the store refused.
    """
    uri = uri_of(results)
    if uri is None:
        return
    remote = Remote(uri)
    if names is None:
        there = remote.folders()
        here = {path.name for path in results.iterdir() if path.is_dir()}
        names = sorted(name for name in there | here if not name.startswith("."))
    for name in names:
        mirror = SweepMirror(results / name, remote)
        with pulling(mirror.folder):
            if owner(results / f".{name}.lock") is None:
                mirror.pull()
        _bring_encoder(mirror)


def bring_definitions(results: Path, remote: Remote) -> None:
    """Have the `sweep.toml` of every sweep at the URI here as it is there by now: it says what stands on what.

    A sweep that this machine drives is left as it is: nobody knows it better.

    Raises:
        RemoteError: the store refused.
    """
    for name in remote.folders():
        if not name.startswith(".") and owner(results / f".{name}.lock") is None:
            SweepMirror(results / name, remote).pull_definition()


def bring_trials(results: Path, name: str, *, weights: bool = True) -> None:
    """Have what a sweep's trials have left here, from the URI that a results folder stands for, if it does.

    A sweep that this machine drives is left as it is.

    Args:
        results: the results folder.
        name: of the sweep.
        weights: whether the models' weights and the states are brought, too; else cards and predictions only.

    Raises:
        RemoteError: the store refused.
    """
    uri = uri_of(results)
    if uri is not None and owner(results / f".{name}.lock") is None:
        SweepMirror(results / name, Remote(uri)).fetch(
            "trials", lambda part: weights or not part.endswith((".safetensors", ".pt"))
        )


def shared(results: Path, name: str, part: str) -> None:
    """Upload a file of a sweep that no driver writes, to the URI that its results folder stands for, if it does.

    Raises:
        RemoteError: the store refused.
    """
    uri = uri_of(results)
    if uri is None:
        return
    mirror = SweepMirror(results / name, Remote(uri))
    with pulling(mirror.folder):
        if owner(results / f".{name}.lock") is None:  # its driver uploads it
            mirror.share(part)


def bring_model(results: Path, model: Path) -> None:
    """Have a model here that lies in a results folder which stands for a URI, and the trial that it was copied from.

    Args:
        results: the results folder.
        model: the model's folder: `best/` of a sweep, or of one of its trials.

    Raises:
        RemoteError: the store refused.
    """
    uri = uri_of(results)
    place = Path(os.path.abspath(model))  # noqa: PTH100 it need not exist
    if uri is None or results.resolve() not in place.parents:
        return
    name, *below = place.relative_to(results.resolve()).parts
    mirror = SweepMirror(results / name, Remote(uri))
    if below[:1] == ["trials"]:
        mirror.fetch("/".join(below))
    elif (trial := _trial(place)) is not None:
        mirror.fetch(f"trials/{trial}/best")


def _bring_encoder(mirror: SweepMirror) -> None:
    """Have the model here that an emotion sweep stands on."""
    try:
        model = tomllib.loads((mirror.folder / "sweep.toml").read_text(encoding="utf-8"))["pretext"]["model"]
    except (OSError, ValueError, KeyError):
        return
    place = Path(os.path.normpath(mirror.folder.resolve() / model))
    results = mirror.folder.parent.resolve()
    if results in place.parents:
        name = place.relative_to(results).parts[0]
        if name != mirror.name:
            refreshed(mirror.folder.parent, [name])
        bring_model(mirror.folder.parent, place)


def _trial(model: Path) -> str | None:
    """The trial that a sweep's `best/` was copied from; None where nobody knows."""
    try:
        return str(json.loads((model / "model.json").read_text(encoding="utf-8"))["sweep"]["trial"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def pulling(folder: Path) -> Iterator[None]:
    """Be the only process of this machine that brings a sweep here.

    Raises:
        InputError: another one takes too long.
    """
    with alone(folder.parent / f".{folder.name}.pull"):
        yield


def results_place(text: str | Path) -> Path:
    """A results folder as it was given: itself, or what stands here for a URI.

    Raises:
        InputError: it is no URI of a place for files.
    """
    given = str(text)
    if given.startswith("file:///"):
        return Path(given.removeprefix("file://"))
    return mirror_folder(given) if is_uri(given) else Path(given)
