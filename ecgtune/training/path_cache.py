"""What was measured of convolutions, by machine, in a file of the cache folder; read without importing PyTorch."""

import hashlib
import json
import os
import shutil
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ecgtune.errors import StorageError
from ecgtune.files import write_json
from ecgtune.processor import processor_flags, processor_name

# What decides how fast each way is: the switches of PyTorch's libraries, and of what is compiled.
_VARIABLES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "ECGTUNE_COMPILE", "CC")
# What this process has kept, also where the file cannot be written.
_KEPT: dict[Path, dict[str, Any]] = {}


def read(cache: Path) -> dict[str, Any]:
    """By machine, what the file holds and what this process has kept."""
    return {**_in_file(cache), **_KEPT.get(cache, {})}


def keep(cache: Path, known: dict[str, Any]) -> None:
    """Replace the file; where it cannot be written, another process will measure again."""
    _KEPT[cache] = known
    with suppress(StorageError, OSError):
        write_json(_file(cache), known)


def key(what: str) -> str:
    """What the machine is called in the file, with what is measured there.

    A home folder may be shared by machines that differ, and the same machine computes otherwise with other switches.
    """
    return f"{_machine()}{what}"


def is_known(cache: Path) -> bool:
    """Whether this machine was measured, whatever it was."""
    return any(each.startswith(_machine()) for each in read(cache))


def is_kept(cache: Path) -> bool:
    """Whether this machine's measurement is in the file, where other processes find it."""
    return any(each.startswith(_machine()) for each in _in_file(cache))


def pytorch_uses_gpus() -> bool:
    """Whether PyTorch was built for GPUs, as far as its version says."""
    return not _pytorch().endswith("+cpu")


def _machine() -> str:
    compiler = shutil.which((os.environ.get("CC", "").split() or ["cc"])[0])
    switches = [os.environ.get(name, "") for name in _VARIABLES]
    digest = hashlib.sha256("\0".join([processor_flags(), str(compiler), *switches]).encode()).hexdigest()[:8]
    return f"{processor_name()} {digest} | torch {_pytorch()} | "


def _pytorch() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return "of no version"


def _in_file(cache: Path) -> dict[str, Any]:
    known = None
    with suppress(OSError, ValueError):
        known = json.loads(_file(cache).read_text(encoding="utf-8"))
    return known if isinstance(known, dict) else {}


def _file(cache: Path) -> Path:
    return cache / "convolution.json"
