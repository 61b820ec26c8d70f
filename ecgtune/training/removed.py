"""A model whose weights were given up: its card and predictions stay, with a note in their place.

A sweep keeps the weights of its best trials only; see `ecgtune.sweep.retention`.
"""

from collections.abc import Iterator
from pathlib import Path

NOTE = "weights-removed.txt"


def weights(model: Path) -> Iterator[Path]:
    """The files of a model's weights; none where there is no such folder."""
    return model.glob("*.safetensors")


def removal_note(model: Path) -> str | None:
    """When and why a model's weights were removed, and what to do; None where nobody removed them."""
    try:
        return (model / NOTE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def leave_note(model: Path, text: str) -> None:
    """Write a model's `removal_note`; call it before the weights go, so that they are never missed unexplained."""
    # Not through `files.replaced`: hundreds of waits for the disk are not worth a note that may be torn.
    (model / NOTE).write_text(text + "\n", encoding="utf-8")
