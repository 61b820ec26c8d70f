"""A folder of a worker's own for its trials' files: goes with the process, or with the next one's if it was killed.

Each process holds a lock on a file in its folder; the system gives it back however the process ends.
"""

import fcntl
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TextIO

_PREFIX, _LOCK = "ecgtune-trial-", "in-use"


@cache
def scratch() -> Path:
    """This process's folder; it trains one trial at a time."""
    remove_abandoned(Path(tempfile.gettempdir()))
    folder = tempfile.TemporaryDirectory(prefix=_PREFIX)
    place = Path(folder.name) / "trials"
    place.mkdir()
    # Under another name until it is locked: what has no lock is left alone.
    lock = Path(folder.name) / ".new"
    file = lock.open("w", encoding="utf-8")
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX)
        lock.rename(lock.with_name(_LOCK))
    _HELD.append((folder, file))
    return place


_HELD: list[tuple["tempfile.TemporaryDirectory[str]", TextIO]] = []


def remove_abandoned(place: Path) -> None:
    """Remove the folders of processes that are gone; what cannot be removed stays."""
    for lock in place.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError), lock.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent)
