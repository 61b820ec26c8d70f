"""The study's file: Optuna's own journal, to which what belongs together is written at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend


class BlockJournal(JournalFileBackend):
    """A journal file that can take many entries with one lock and one wait for the disk.

    The file is what Optuna would have written, and opens with stock Optuna.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            _cut_torn_line(path)
        # A driver that was killed while it wrote has left Optuna's lock, which would hold everybody up for half a
        # minute. Nobody else writes here: the sweep's own lock, which the system gives back, sees to that.
        for left in path.parent.glob(f"{path.name}.lock*"):
            left.unlink(missing_ok=True)
        super().__init__(str(path))
        self._waiting: list[dict[str, Any]] | None = None

    @contextmanager
    def block(self) -> Iterator[None]:
        """Write what is logged within the block at its end; nobody, the storage included, sees it before."""
        self._waiting = []
        try:
            yield
        finally:
            waiting, self._waiting = self._waiting, None
            if waiting:
                super().append_logs(waiting)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries, at once or with their block."""
        if self._waiting is None:
            super().append_logs(logs)
        else:
            self._waiting += logs


def _cut_torn_line(path: Path) -> None:
    """Drop a last line without an end, which a full disk or a kill can leave; what follows it would be unreadable."""
    with path.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
