"""Keeping freed memory: training frees and takes the same large blocks again and again."""

import ctypes
import platform
from functools import cache

# From glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_PAD = 64 * 2**20


@cache
def keep_freed_memory() -> bool:
    """Let this process keep what it frees instead of giving it back to the system block by block.

    PyTorch has no cache for memory on a CPU. Every large tensor is new to the system, which clears it page by page:
    4 to 12 % of a pretext step on the Fourier path. Where the C library is not glibc, nothing happens.

    Returns:
        Whether it was done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(_MMAP_MAX, 0), mallopt(_TRIM_THRESHOLD, 2**31 - 1), mallopt(_TOP_PAD, _PAD)])
