"""A trial that ran out of memory gets one more try, with half the micro-batch.

Gradients add up over micro-batches, so the experiment stays what it was. The note lies in the trial's folder, so that
every worker that takes up the trial knows of it, and so does whoever looks.
"""

from pathlib import Path

from ecgtune.files import write_text

# The try with the micro-batch as it should be, and the one with half of it.
TRIES = 2
MEMORY = "memory.txt"


def note_shortage(trial: Path, message: str) -> int:
    """Note that a trial ran out of memory; gives how often that has happened now."""
    lines = [*_lines(trial), f"out of memory: {' '.join(message.split())}"]
    write_text(_file(trial), "\n".join(lines) + "\n")
    return len(lines)


def shortages(trial: Path) -> int:
    """How often a trial ran out of memory."""
    return len(_lines(trial))


def last_shortage(trial: Path) -> str:
    """What was said the last time; empty where memory never ran out."""
    return _lines(trial)[-1] if shortages(trial) else ""


def _lines(trial: Path) -> list[str]:
    file = _file(trial)
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _file(trial: Path) -> Path:
    return trial / MEMORY
