"""A sweep's arguments as they have to be on the cluster, where the job runs in a folder of its own."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecgtune.cluster.parcel import SPACES
from ecgtune.errors import InputError
from ecgtune.uri import is_uri

# Options of `ecgtune sweep` that name a place; `--pretext` may be a sweep's name instead.
_PLACES = ("--data", "--results", "--pretext")


def on_cluster(words: Sequence[str], *, name: str, results: str, space: Path | None) -> list[str]:
    """The words after `ecgtune`, with absolute paths, a name, and the cluster's own address.

    Args:
        words: `sweep`, the stage, and its options as they were typed.
        name: of the sweep.
        results: the folder that holds all sweeps, or its URI.
        space: a search-space file that is sent with the job; None leaves the option as it is.

    Raises:
        InputError: the words name a cluster themselves.
    """
    made = list(words[:2])
    for option, value in _options(words[2:]):
        if option == "--address":
            raise InputError("give --address to `ecgtune submit`, before the two dashes; the sweep runs there.")
        if option in ("--name", "--results") or (option == "--space" and space is not None):
            continue
        if value is None:
            made.append(option)
        else:
            made += [option, _absolute(option, value)]
    if space is not None:
        made += ["--space", f"{SPACES}/{space.name}"]
    return [*made, "--name", name, "--results", place(results), "--address", "auto"]


def _options(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Options with their values; `--a=b` is `--a b`, and a flag has none."""
    left = list(words)
    while left:
        option, equals, value = left.pop(0).partition("=")
        if equals:
            yield option, value
        elif left and not left[0].startswith("--"):
            yield option, left.pop(0)
        else:
            yield option, None


def _absolute(option: str, value: str) -> str:
    is_place = option in _PLACES and (option != "--pretext" or Path(value).expanduser().exists())
    return place(value) if is_place else value


def place(given: str) -> str:
    """An absolute path, or the URI that was given; links stay, since the cluster has its own."""
    return given if is_uri(given) else os.path.abspath(Path(given).expanduser())  # noqa: PTH100 `resolve` follows links
