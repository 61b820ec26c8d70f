"""Ctrl-C and SIGTERM while a sweep begins and ends: heard at once, once, and for good."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heard_once(tell: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Within it, the first signal says that it was heard and raises KeyboardInterrupt, and later ones do nothing.

    Ray takes seconds to end and does not bear to be broken off in that, so they do nothing afterwards either.

    Args:
        tell: prints a line.

    Yields:
        a function that raises KeyboardInterrupt if one was heard: raised in the middle of an import, it may be lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    heard = threading.Event()

    def hear(_number: int, _frame: FrameType | None) -> None:
        if not heard.is_set():
            heard.set()
            tell("stopping; Ray ends first, which takes a few seconds.")
            raise KeyboardInterrupt

    def require_silence() -> None:
        if heard.is_set():
            raise KeyboardInterrupt

    before = {number: signal.signal(number, hear) for number in _SIGNALS}
    try:
        yield require_silence
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if heard.is_set() else handler)
