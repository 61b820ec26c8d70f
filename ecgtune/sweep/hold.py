"""Workers that wait before they load, until they are let go: meanwhile this machine can be measured undisturbed."""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

_VARIABLE = "ECGTUNE_WORKERS_WAIT_FOR"


class Hold:
    """Holds the workers that Ray will start from this process, until `release` or the process's end.

    A worker waits for the lock on a file without a name, which it finds among this process's open ones by a variable
    that it inherits. The system gives the lock back, and the file's space, however this process ends. Where it knows
    no such files, or no locks on them, nobody is held.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        with suppress(OSError):
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - until it is released
            fcntl.flock(self._file, fcntl.LOCK_EX)
            os.environ[_VARIABLE] = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"

    def release(self) -> None:
        """Let the workers go; a second time does nothing."""
        if self._file is not None:
            os.environ.pop(_VARIABLE, None)
            self._file.close()
            self._file = None


def wait_until_released() -> None:
    """Wait in a worker that is held; elsewhere this does nothing."""
    name = os.environ.get(_VARIABLE)
    # No such file: it was released already, or there are none here.
    with suppress(OSError):
        if name is not None:
            with Path(name).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)
