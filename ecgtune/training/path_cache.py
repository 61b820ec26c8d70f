"""What was measured of convolutions, by machine, in a file of the cache folder; read without importing PyTorch."""

import json
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ecgtune.errors import StorageError
from ecgtune.files import write_json


def read(cache: Path) -> dict[str, Any]:
    """By machine, whatever the file holds; nothing where there is none."""
    try:
        known = json.loads(_file(cache).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def keep(cache: Path, known: dict[str, Any]) -> None:
    """Replace the file; where it cannot be written, the machine will be measured again."""
    with suppress(StorageError, OSError):
        write_json(_file(cache), known)


def key(units: str, what: str) -> str:
    """The machine's name in the file: all that the measurement depends on.

    Args:
        units: the processor's vector instructions that are used.
        what: what is measured.
    """
    return f"{processor_name()} {units} | {_pytorch()} | {what}"


def seems_known(cache: Path) -> bool:
    """Whether this processor was measured with this PyTorch, as far as can be told without importing it."""
    return any(each.startswith(f"{processor_name()} ") and f"| {_pytorch()} |" in each for each in read(cache))


def processor_name() -> str:
    """Such as `AMD EPYC`."""
    name = platform.processor() or platform.machine()
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return name


def _pytorch() -> str:
    try:
        return f"torch {version('torch')}"
    except PackageNotFoundError:
        return "torch"


def _file(cache: Path) -> Path:
    return cache / "convolution.json"
