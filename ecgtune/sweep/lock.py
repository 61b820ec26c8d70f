"""One driver per sweep: a lock that the system gives back when its owner dies."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ecgtune.errors import InputError
from ecgtune.files import storage_errors


@dataclass(frozen=True)
class Owner:
    """Who drives a sweep.

    Args:
        pid: of the process.
        host: where it runs.
        since: ISO 8601, UTC.
    """

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


@contextmanager
def driving(lock: Path) -> Iterator[None]:
    """Be the only driver of a sweep within the block.

    The system holds the lock (`flock`), so that of a driver that was killed nothing is left but the file.

    Args:
        lock: the file; its folder is made.

    Raises:
        InputError: another driver has it.
        StorageError: the file cannot be written.
    """
    with storage_errors(lock.parent):
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a+", encoding="utf-8")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"{lock.parent} is being run already by {_read(lock) or 'another process'}. Watch it with "
                f"`ecgtune status {lock.parent.name}`, stop it with Ctrl-C there, or choose another --name."
            ) from error
        me = Owner(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"))
        with storage_errors(lock.parent):
            file.truncate(0)
            file.write(json.dumps(asdict(me)))
            file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def owner(lock: Path) -> Owner | None:
    """Who drives the sweep now; None where nobody does, whatever a dead driver has left."""
    try:
        with lock.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except OSError:
        return _read(lock) or Owner(0, "?", "?")
    return None


def _read(lock: Path) -> Owner | None:
    try:
        return Owner(**json.loads(lock.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
