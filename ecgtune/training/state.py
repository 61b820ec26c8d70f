r"""The resumable state of a run on disk: tensors, numbers, text and containers, with their checksum.

The newest state is `NAME`, the one before it `NAME.before`. A state is written whole beside its place and moved there,
so a writer that dies harms nothing; the checksum is for what a disk or a copy can do to a file afterwards.

    ecgtune state 1\n   64 hexadecimal digits of SHA-256\n   what `torch.save` wrote
"""

import hashlib
import io
import pickle
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ecgtune.errors import InputError
from ecgtune.files import replaced, storage_errors

_MAGIC = b"ecgtune state 1\n"
_DIGITS = 64


def save_state(path: Path, content: Mapping[str, Any]) -> None:
    """Write a state; the newest so far becomes the one before it.

    Raises:
        StorageError: the disk refused the write; the older states are then unharmed.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    payload = buffer.getvalue()
    with replaced(path) as temporary:
        temporary.write_bytes(_MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
        # Whoever dies between the two moves leaves the older state, and the newer one as a file that nobody reads.
        with storage_errors(path.parent), suppress(FileNotFoundError):
            path.replace(before(path))


def load_state(path: Path) -> dict[str, Any] | None:
    """Read the newest state, without running any code that it may hold; None where there is none.

    Raises:
        InputError: the file is damaged, or holds more than tensors, numbers, text and containers.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    head, payload = content[: len(_MAGIC) + _DIGITS + 1], content[len(_MAGIC) + _DIGITS + 1 :]
    if head != _MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n":
        raise InputError(f"{path} is damaged: its checksum is not its content's. Delete it to begin again.")
    try:
        return dict(torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True))
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is not a state that can be resumed ({reason}). Delete it to begin again.") from error


def newest_state(path: Path) -> tuple[dict[str, Any] | None, str]:
    """The newest state that is whole, or None; and a warning where a newer one had to be passed over."""
    warnings = []
    for candidate in (path, before(path)):
        try:
            state = load_state(candidate)
        except InputError as error:
            warnings.append(str(error).removesuffix(" Delete it to begin again."))
            continue
        if state is not None:
            went_on = f"Going on from epoch {state['training']['epoch']}, which the one before it holds."
            return state, " ".join([*warnings, went_on]) if warnings else ""
    return None, " ".join([*warnings, "There is no other, so the trial begins again."]) if warnings else ""


def before(path: Path) -> Path:
    """Where the state before the newest lies."""
    return path.with_name(f"{path.name}.before")


def drop_state(path: Path) -> None:
    """Remove the states of a run that has ended."""
    path.unlink(missing_ok=True)
    before(path).unlink(missing_ok=True)
