"""One driver per sweep: a lock that the system gives back when its owner dies."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from ecgtune.errors import InputError
from ecgtune.files import storage_errors

# Who looks at a lock holds it for a moment too; so many seconds are waited for it.
_PATIENCE = 0.5


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

    The system holds the lock (`flock`), so that a driver that was killed holds nobody up. On a file system without
    locks the file's word is taken: a dead driver of another machine has to be removed by hand.

    Args:
        lock: the file; it is there while the sweep is driven.

    Raises:
        InputError: another driver has it.
        StorageError: the file cannot be written.
    """
    try:
        with storage_errors(lock.parent):
            lock.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise InputError(
            f"{lock.parent} cannot be made a folder for sweeps ({error.strerror}). Choose another --results."
        ) from error
    with _locked(lock) as file:
        me = Owner(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"))
        with storage_errors(lock.parent):
            file.truncate(0)
            file.write(json.dumps(asdict(me)))
            file.flush()
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def owner(lock: Path) -> Owner | None:
    """Who drives the sweep now; None where nobody does, whatever a dead driver has left."""
    try:
        with lock.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(lock) or Owner(0, "an unknown machine", "just now")
    except FileNotFoundError:
        return None
    except OSError:
        return _believed(lock)
    return None


def _believed(lock: Path) -> Owner | None:
    """Who says to drive the sweep, on a file system without locks; a process of this machine that is gone does not."""
    found = _read(lock)
    if found is None or (found.host == socket.gethostname() and not alive(found.pid)):
        return None
    return found


def alive(pid: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _locked(lock: Path) -> TextIO:
    """The open file, locked.

    Raises:
        InputError: somebody else has it, and not just to look at it.
    """
    patience = time.monotonic() + _PATIENCE
    while True:
        with storage_errors(lock.parent):
            file = lock.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            if time.monotonic() > patience:
                name = lock.name.removeprefix(".").removesuffix(".lock")
                raise InputError(
                    f"{lock.parent / name} is being run already by {_read(lock) or 'another process'}. Watch it with "
                    f"`ecgtune status {name}`, stop it with Ctrl-C there, or choose another --name."
                ) from error
            time.sleep(_PATIENCE / 10)
            continue
        except OSError as error:
            found = _believed(lock)
            if found is None:
                return file
            file.close()
            name = lock.name.removeprefix(".").removesuffix(".lock")
            raise InputError(
                f"{lock.parent / name} says that it is being run by {found}, and this file system has no locks to tell "
                f"whether that is still true. If it is not, remove {lock}; else choose another --name."
            ) from error
        # Its last owner may have removed the file between the two calls; then the lock is on nothing.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                return file
        file.close()


def _read(lock: Path) -> Owner | None:
    try:
        return Owner(**json.loads(lock.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
