"""Paths in `sweep.toml`: relative to the sweep's folder, so that a project can be moved as a whole."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecgtune.data.remote_data import downloaded
from ecgtune.sweep.folder import SweepFolder
from ecgtune.uri import is_uri, uri_of

# The entries of a job that hold a path, or several.
JOB_PATHS = ("data", "model")


def portable(path: str | Path, folder: SweepFolder) -> str:
    """A path as it is written: relative to the sweep's folder where both lie in the project, else absolute.

    The project is the folder that holds the results folder. What stands here for something at a URI is written as that.
    """
    uri = uri_of(Path(path))
    if uri is not None:
        return uri
    absolute = Path(path).resolve()
    project = folder.path.resolve().parent.parent
    if project in absolute.parents:
        return Path(os.path.relpath(absolute, folder.path.resolve())).as_posix()
    return str(absolute)


def located(text: str, folder: SweepFolder) -> str:
    """The absolute path that `portable` wrote; data at a URI are downloaded.

    Raises:
        DataError: there are none.
        RemoteError: the store refused.
    """
    if is_uri(text):
        return str(downloaded(text).resolve())
    return str((folder.path / text).resolve())


def job_entries(content: Mapping[str, Any], folder: SweepFolder) -> dict[str, Any]:
    """The entries of a job as its class takes them: paths absolute, lists as tuples."""
    entries: dict[str, Any] = {}
    for key, value in content.items():
        if key in JOB_PATHS:
            entries[key] = (
                tuple(located(p, folder) for p in value) if isinstance(value, list) else located(value, folder)
            )
        else:
            entries[key] = tuple(value) if isinstance(value, list) else value
    return entries


def job_content(entries: Mapping[str, Any], folder: SweepFolder) -> dict[str, Any]:
    """The entries of a job as they are written: paths portable, tuples as lists."""
    content: dict[str, Any] = {}
    for key, value in entries.items():
        if key in JOB_PATHS:
            content[key] = portable(value, folder) if isinstance(value, str) else [portable(p, folder) for p in value]
        else:
            content[key] = list(value) if isinstance(value, tuple) else value
    return content
