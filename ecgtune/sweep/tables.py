"""`trials.csv` and `epochs.csv`: what a person, a script or pandas reads."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TextIO

from ecgtune.files import storage_errors, write_text
from ecgtune.sweep.block import EpochReport
from ecgtune.sweep.trial import Trial


class TrialsTable:
    """`trials.csv`: one row per trial, its metrics those of its best epoch; written anew at each change.

    Args:
        path: the file.
        parameters: the columns for parameters, in their order.
    """

    def __init__(self, path: Path, parameters: Sequence[str]) -> None:
        self._path = path
        self._parameters = tuple(parameters)
        self._columns: list[str] = []
        # The lines of trials that have ended, so that many trials cost little.
        self._ended: dict[str, str] = {}

    def write(self, trials: Sequence[Trial]) -> None:
        """Write all rows in the order of their ids; an empty cell is a value that the trial does not have."""
        trials = sorted(trials, key=lambda trial: trial.trial_id)
        metrics = dict.fromkeys(name for trial in trials for name in trial.best_metrics)
        columns = ["trial_id", "state", "reason", "epochs", "seconds", "best_epoch", *metrics, *self._parameters]
        if columns != self._columns:
            self._columns, self._ended = columns, {}
        for trial in trials:
            if trial.state not in ("RUNNING", "PAUSED") and trial.trial_id not in self._ended:
                self._ended[trial.trial_id] = self._line(_row(trial))
        lines = (self._ended.get(trial.trial_id) or self._line(_row(trial)) for trial in trials)
        write_text(self._path, "".join([self._line(dict(zip(columns, columns, strict=True))), *lines]))

    def _line(self, row: Mapping[str, object]) -> str:
        text = io.StringIO()
        csv.DictWriter(text, self._columns, restval="", lineterminator="\n").writerow(row)
        return text.getvalue()


def _row(trial: Trial) -> dict[str, object]:
    return {
        "trial_id": trial.trial_id,
        # Whoever reads the table need not know of pauses: a trial that has not ended is RUNNING.
        "state": "RUNNING" if trial.state == "PAUSED" else trial.state,
        "reason": trial.reason,
        "epochs": trial.epochs,
        "seconds": f"{trial.seconds:.3f}",
        "best_epoch": trial.best_epoch or "",
        **{name: repr(value) for name, value in trial.best_metrics.items()},
        **trial.parameters,
    }


class EpochsTable:
    """`epochs.csv`: one row per trial and epoch, appended as the epochs come.

    The columns are those of the first row; later rows must have the same metrics.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._writer: csv.DictWriter[str] | None = None

    def add(self, trial_id: str, epochs: Sequence[EpochReport]) -> None:
        """Append one row per epoch and hand them to the system at once."""
        rows = [
            {
                "trial_id": trial_id,
                "epoch": epoch.epoch,
                "lr": repr(epoch.lr),
                **{name: repr(value) for name, value in epoch.metrics.items()},
                "seconds": f"{epoch.seconds:.4f}",
            }
            for epoch in epochs
        ]
        with storage_errors(self._path.parent):
            if self._writer is None:
                self._writer = self._open(list(rows[0]), "w")
                self._writer.writeheader()
            self._writer.writerows(rows)
            if self._file is not None:
                self._file.flush()

    def sync(self) -> None:
        """Wait until the rows are on the disk."""
        if self._file is not None:
            with storage_errors(self._path.parent):
                os.fsync(self._file.fileno())

    def rewrite(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Replace the file by these rows, in its own form, and go on after them."""
        if rows:
            text = io.StringIO()
            writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            write_text(self._path, text.getvalue())
            self._writer = self._open(list(rows[0]), "a")

    def _open(self, columns: list[str], mode: Literal["a", "w"]) -> "csv.DictWriter[str]":
        self._file = self._path.open(mode, encoding="utf-8", newline="")
        return csv.DictWriter(self._file, columns, lineterminator="\n")

    def close(self) -> None:
        """Close the file, if any row was written."""
        if self._file is not None:
            self._file.close()
