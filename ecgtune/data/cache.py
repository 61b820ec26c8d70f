"""Where things are kept that can be made again."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from ecgtune.errors import InputError

# Seconds in which another process of this machine has brought here what two need.
_PATIENCE = 3600.0


def cache_folder() -> Path:
    """`ECGTUNE_CACHE`, or the user's cache folder."""
    return Path(os.environ.get("ECGTUNE_CACHE") or platformdirs.user_cache_dir("ecgtune"))


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Be the only process of this machine that makes something.

    Args:
        lock: a file, which stays.

    Raises:
        InputError: another process takes too long.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise InputError(f"another process of this machine has held {lock} for an hour.") from error
                time.sleep(0.05)
        yield
