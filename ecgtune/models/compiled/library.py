"""The C of this folder as a library: compiled when first asked for, for the machine at hand, and kept in the cache.

Without a compiler, or with ECGTUNE_COMPILE=0 (or no, off, false), there is none, and the same is computed by PyTorch's
operations.
"""

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from ecgtune.data.cache import cache_folder
from ecgtune.errors import StorageError
from ecgtune.files import replaced
from ecgtune.processor import processor_flags

VARIABLE = "ECGTUNE_COMPILE"
_OFF = ("0", "no", "off", "false")
_SOURCES = ("layers.c", "lines.h", "fourier.h", "vectors.h")
_FLAGS = ("-O3", "-shared", "-fPIC", "-Wno-psabi")
_DEFINED = {torch.bfloat16: ("-DBFLOAT16",), torch.float32: ()}
# Seconds that a compiler has; it takes one.
_PATIENCE = 60


def available(dtype: torch.dtype) -> bool:
    """Whether there is a library for maps of that type; asked for the first time on a machine, this compiles it."""
    return why_not(dtype) == ""


def is_off() -> bool:
    """Whether the user wants nothing to be compiled."""
    return os.environ.get(VARIABLE, "").lower() in _OFF


def why_not(dtype: torch.dtype) -> str:
    """Why there is no library for maps of that type; empty if there is one."""
    if is_off():
        return f"{VARIABLE}={os.environ[VARIABLE]}"
    if dtype not in _DEFINED:
        return f"not for {dtype}"
    return _loaded(dtype)[1]


def library(dtype: torch.dtype) -> ctypes.CDLL:
    """The library for maps of that type.

    Raises:
        RuntimeError: there is none.
    """
    found, reason = _loaded(dtype)
    if found is None:
        raise RuntimeError(f"nothing is compiled: {reason}")
    return found


def has_threads(dtype: torch.dtype) -> bool:
    """Whether the library for maps of that type was compiled with OpenMP.

    Raises:
        RuntimeError: there is none.
    """
    return bool(library(dtype).has_threads())


@cache
def _loaded(dtype: torch.dtype) -> tuple[ctypes.CDLL | None, str]:
    """The library, or why there is none."""
    try:
        compiler = shlex.split(os.environ.get("CC", "")) or ["cc"]
    except ValueError as error:
        return None, f"CC: {error}"
    if shutil.which(compiler[0]) is None:
        return None, f"no C compiler {compiler[0]!r}"
    native = "-mcpu=native" if platform.machine() in ("aarch64", "arm64") else "-march=native"
    reason = ""
    # Without OpenMP the library is whole, but uses one thread.
    for threads in (("-fopenmp",), ()):
        try:
            return _library([*compiler, *_FLAGS, *threads, native, *_DEFINED[dtype]]), ""
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().splitlines() or [f"exit code {error.returncode}"]
            reason = reason or f"{shlex.join(compiler)} failed: {said[0]}"
            if error.returncode < 0:
                break  # killed, as by Ctrl-C, and not for want of OpenMP
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = reason or str(error)
    return None, reason


def _library(command: list[str]) -> ctypes.CDLL:
    """What that command compiles, kept in the cache under a name that says what it is made from, and its checksum."""
    folder, key = cache_folder() / "compiled", _key(command)
    with suppress(OSError):
        for file in folder.glob(f"{key}-*.so"):
            if _is_ours(folder) and _is_ours(file) and file.stem == f"{key}-{_checksum(file)}":
                return ctypes.CDLL(str(file))
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / "layers.so"
        _compile(command, made)
        loaded = ctypes.CDLL(str(made))  # and may then be removed
        with suppress(StorageError, OSError):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            with replaced(folder / f"{key}-{_checksum(made)}.so") as kept:
                shutil.copyfile(made, kept)
    return loaded


def _compile(command: list[str], to: Path) -> None:
    source = Path(__file__).with_name(_SOURCES[0])
    whole = [*command, str(source), "-o", str(to), "-lm"]
    subprocess.run(whole, check=True, capture_output=True, text=True, errors="replace", timeout=_PATIENCE)


def _is_ours(path: Path) -> bool:
    """Whether nobody else can have written it: what is in a library is run."""
    found = path.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _key(command: list[str]) -> str:
    """Of everything that decides what comes out: a home folder may be shared by machines that differ."""
    parts = [shlex.join(command), platform.machine(), processor_flags()]
    parts += [Path(__file__).with_name(name).read_text(encoding="utf-8") for name in _SOURCES]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
