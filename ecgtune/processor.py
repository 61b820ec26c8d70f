"""What this machine's processor is, without importing PyTorch."""

import platform
from contextlib import suppress
from functools import cache
from pathlib import Path


def processor_name() -> str:
    """Such as `AMD EPYC`."""
    return _line("model name") or platform.processor() or platform.machine()


def processor_flags() -> str:
    """What it can do, such as `fpu sse2 avx512f`; where the system does not say, what kind it is."""
    return _line("flags") or _line("Features") or platform.processor()


@cache
def _cpuinfo() -> tuple[str, ...]:
    with suppress(OSError):
        return tuple(Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines())
    return ()


def _line(name: str) -> str:
    """The value of the first line of that name; empty if there is none."""
    return next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith(name)), "")
