"""A data set at a URI: downloaded once to each machine, into the cache, and memory-mapped from there."""

import hashlib
import json
from pathlib import Path

from ecgtune.data.cache import alone, cache_folder
from ecgtune.data.store import fingerprint_of
from ecgtune.errors import DataError
from ecgtune.files import replaced_folder
from ecgtune.remote import Remote
from ecgtune.uri import is_uri, stand_for

# Seconds in which what may be over in a while is tried again.
_PATIENCE = 30.0
_FILES = ("windows.npy", "labels.npy", "windows.csv")


def data_place(given: str | Path) -> Path:
    """A data-set folder as it was given: itself, or what was downloaded for a URI.

    Raises:
        DataError: there is no data set at the URI, or not all of it.
        RemoteError: the store refused.
    """
    text = str(given)
    if text.startswith("file:///"):
        return Path(text.removeprefix("file://"))
    return downloaded(text) if is_uri(text) else Path(given)


def downloaded(uri: str) -> Path:
    """The data-set folder here that has what lies at a URI now; whole or not at all.

    Raises:
        DataError: there is no data set at the URI, or not all of it.
        RemoteError: the store refused.
    """
    remote = Remote(uri, patience=_PATIENCE)
    description = remote.read("dataset.json")
    try:
        fingerprint = str(json.loads(description or b"")["fingerprint"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{remote.shown} is not a data-set folder: it has no dataset.json that can be read. Make one with `ecgtune "
            "data prepare` and copy it there."
        ) from error
    digest = hashlib.sha256(f"{uri} {fingerprint}".encode()).hexdigest()[:16]
    folder = cache_folder() / "data" / digest
    with alone(folder.with_name(f".{digest}.lock")):
        if not folder.is_dir():
            with replaced_folder(folder) as temporary:
                (temporary / "dataset.json").write_bytes(description or b"")
                absent = [name for name in _FILES if not remote.download(name, temporary / name)]
                if absent or fingerprint_of(temporary) != fingerprint:
                    what = f"it has no {', '.join(absent)}" if absent else "its files are not those of its dataset.json"
                    raise DataError(f"{remote.shown} is incomplete: {what}. Copy the data-set folder there again.")
                stand_for(temporary, uri)
    return folder
