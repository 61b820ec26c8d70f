"""What ends a sweep early in good order: Ctrl-C, SIGTERM, the end of Ray's node, or an error of our own."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ray.tune import Stopper

from ecgtune.errors import EcgtuneError
from ecgtune.sweep.engine import node_died


class Interrupt(Stopper):
    """Tells Ray to stop all trials once a signal has come or an error was kept."""

    def __init__(self) -> None:
        self.stopped = False
        self.error: Exception | None = None

    @contextmanager
    def keeping_errors(self) -> Iterator[None]:
        """Keep the first error of the block and stop the sweep; Ray would wrap it in one of its own and log it."""
        try:
            yield
        except Exception as error:
            self.error = self.error or error
            self.stopped = True

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Never stops a single trial."""
        return False

    def stop_all(self) -> bool:
        """Whether to stop the sweep; Ray asks between any two events."""
        if not self.stopped and node_died():
            self.stopped = True
            self.error = EcgtuneError(
                "Ray's node process on this machine died; was it killed, for instance for want of memory? What had "
                "ended is on disk. Run the command again with --resume: it goes on from there."
            )
        return self.stopped


@contextmanager
def on_signal(interrupt: Interrupt, tell: Callable[[str], None]) -> Iterator[None]:
    """Stop in good order at the first SIGINT or SIGTERM; the second one acts as it did before the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}

    def first(number: int, frame: FrameType | None) -> None:
        interrupt.stopped = True
        tell("stopping; what is finished is being written. Once more to stop at once.")
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in signals:
        signal.signal(number, first)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
