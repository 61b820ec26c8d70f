"""Loading PyTorch, Ray and pandas faster."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Within it, Python does not look for cycles of garbage.

    What imports make stays, and they make so much that to look through it again and again is a sixth of the time that
    they take, or more. Afterwards it is never looked through again.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
