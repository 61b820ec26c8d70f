"""Workers that wait before they load, until they are let go: meanwhile this machine can be measured undisturbed."""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

_VARIABLE = "ECGTUNE_WORKERS_WAIT_FOR"


class Hold:
    """Holds the workers that Ray will start from this process, until `release` or the process's end.

    A worker waits for the lock on a file, whose name it finds in a variable that it inherits. The system gives a lock
    back however the process that has it ends.
    """

    def __init__(self) -> None:
        self._file = tempfile.NamedTemporaryFile(prefix="ecgtune-hold-")  # noqa: SIM115 - until it is released
        fcntl.flock(self._file, fcntl.LOCK_EX)
        os.environ[_VARIABLE] = self._file.name

    def release(self) -> None:
        """Let the workers go; a second time does nothing."""
        if os.environ.get(_VARIABLE) == self._file.name:
            del os.environ[_VARIABLE]
        self._file.close()


def wait_until_released() -> None:
    """Wait in a worker that is held; elsewhere this does nothing."""
    name = os.environ.get(_VARIABLE)
    # No file: released already. No locks: then nothing is held either.
    with suppress(OSError):
        if name is not None:
            with Path(name).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)
