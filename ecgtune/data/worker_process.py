"""A process of this machine that computes one thing after another, and whose death is noticed whatever it was at."""

import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class DeadProcessError(Exception):
    """A worker process was ended by somebody else, such as the system when memory ran out."""


class WorkerProcess:
    """A process with a pipe of its own.

    The pool of `concurrent.futures` notices a killed process too, but not one that was killed while it sent a result
    larger than a pipe holds: all of its processes share the pipe, which therefore stays open, and the receiver waits
    for the rest for ever.
    """

    def __init__(self) -> None:
        # A forked process would inherit whatever threads and locks this one has.
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        # Now only that process has the other end, which is closed with it.
        theirs.close()

    def __call__(self, function: Callable[_Given, _Result], *arguments: _Given.args, **named: _Given.kwargs) -> _Result:
        """What the function gives there; it and its arguments can be pickled.

        Raises:
            DeadProcessError: the process is gone.
            Exception: what the function raises.
        """
        try:
            self._connection.send((function, arguments, named))
            result: _Result | Exception = self._connection.recv()
        except (EOFError, OSError) as error:
            raise DeadProcessError from error
        if isinstance(result, Exception):
            raise result
        return result

    def kill(self) -> None:
        """End it, whatever it is at; who waits for it hears that it died."""
        self._process.kill()

    def close(self) -> None:
        """Let it end, and wait until it has; nobody may be waiting for a result."""
        self._connection.close()
        self._process.join()


def serve(connection: Connection) -> None:
    """What the process does: answer calls until the other end is closed."""
    while True:
        try:
            function, arguments, named = connection.recv()
        except (EOFError, OSError):
            return
        try:
            result = function(*arguments, **named)
        except Exception as error:
            error.add_note(f"In a process of its own:\n{traceback.format_exc()}")
            result = error
        connection.send(result)
