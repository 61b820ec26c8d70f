"""Files that are whole or absent: written beside their place, then moved into it."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ecgtune.errors import InputError, StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_DISK_REFUSALS = {*_FULL, errno.EROFS, errno.EACCES, errno.EPERM}
# There can be no such folder or file: a name is too long, or what lies above is a file, or a folder of the kernel's.
_IMPOSSIBLE = {errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}


@contextmanager
def storage_errors(place: Path, *, making: bool = False) -> Iterator[None]:
    """Turn the disk's refusal of a write below `place` into one clear message.

    Args:
        place: the folder.
        making: whether nothing but a folder or a file is made there, so that one that cannot be is the place's fault.

    Raises:
        StorageError: no space, no quota, or no permission; if `making`, also a place that cannot be.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.errno not in _DISK_REFUSALS | (_IMPOSSIBLE if making else set()):
            raise
        reason = os.strerror(error.errno).lower()
        space = "free some space or " if error.errno in _FULL else ""
        raise StorageError(
            f"cannot write below {place}: {reason}. What was complete on disk is untouched; "
            f"{space}choose another folder, then run the command again."
        ) from error


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a temporary path to write; move it to `path` when the block ends without an error.

    Args:
        path: the file to create or replace; its folder is made.

    Raises:
        StorageError: the disk refused the write; the old file is then unharmed.
    """
    with storage_errors(path.parent):
        with storage_errors(path.parent, making=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replaced_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder to fill; move it to `path` when the block ends without an error.

    Args:
        path: the folder to create.
        overwrite: whether an existing folder may be replaced.

    Raises:
        InputError: `path` exists and `overwrite` is false.
        StorageError: the disk refused a write; what was at `path` is then unharmed.
    """
    refuse_existing(path, overwrite=overwrite)
    with storage_errors(path.parent):
        with storage_errors(path.parent, making=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                old = temporary.with_name(temporary.name + ".old")
                path.rename(old)
                temporary.rename(path)
                shutil.rmtree(old)
            else:
                temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def recover_folder(path: Path) -> None:
    """Bring back a folder that a writer had moved aside, and then died before the new one was in its place."""
    aside = [each for each in path.parent.glob(f".{path.name}.*.old") if each.is_dir()]
    if aside and not path.exists():
        max(aside, key=lambda each: each.stat().st_mtime).rename(path)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse to write over a file or folder unless told to.

    Raises:
        InputError: `path` exists, is not an empty folder, and `overwrite` is false.
        StorageError: there can be no such path.
    """
    with storage_errors(path.parent, making=True):
        free = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    if overwrite or free:
        return
    raise InputError(f"{path} exists already. Choose another name or folder, or pass --overwrite to replace it.")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically, keys in the order given."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def folder_size(folder: Path) -> int:
    """The bytes of all files in a folder, some of which may go while they are counted."""
    size = 0
    # Unlike `rglob`, this takes a folder that goes for an empty one.
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118
    return size


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
