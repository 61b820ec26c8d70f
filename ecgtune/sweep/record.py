"""The record of a sweep: the one place through which every event passes.

From here it goes to the study, the tables, TensorBoard, the display and the winner's folder, so that they cannot
disagree.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ecgtune.config import Scalar
from ecgtune.errors import StorageError
from ecgtune.space import SearchSpace
from ecgtune.sweep.block import EpochReport
from ecgtune.sweep.events import SweepObserver, TrialView
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.keeper import STATE
from ecgtune.sweep.promote import ModelMissingError, promote, promoted
from ecgtune.sweep.resuming import metrics_of, read_epochs, read_seconds, resumable_epoch
from ecgtune.sweep.retention import KEEP, Retention
from ecgtune.sweep.study import StoredTrial, SweepStudy
from ecgtune.sweep.tables import EpochsTable, TrialsTable
from ecgtune.sweep.tensorboard import SweepBoard
from ecgtune.sweep.trial import Trial, better
from ecgtune.training.state import drop_state


@dataclass(frozen=True)
class Winner:
    """The best epoch of the best trial so far."""

    trial_id: str
    epoch: int
    score: float


class SweepRecord:
    """Takes in what happens and writes it down.

    Args:
        folder: the sweep's folder.
        space: what is searched.
        study: the Optuna study.
        board: TensorBoard.
        observer: the display.
        classes: names of the classes of the confusion matrix.
        max_epochs: the most epochs that a trial may run.
        keep: how many trials that have ended keep their models.
    """

    def __init__(
        self,
        folder: SweepFolder,
        space: SearchSpace,
        study: SweepStudy,
        board: SweepBoard,
        observer: SweepObserver,
        *,
        classes: tuple[str, ...],
        max_epochs: int,
        keep: int = KEEP,
    ) -> None:
        self._folder = folder
        self._space = space
        self._study = study
        self._board = board
        self._observer = observer
        self._classes = classes
        self._max_epochs = max_epochs
        self._epochs = EpochsTable(folder.epochs_table)
        names = [*(parameter.name for parameter in space.parameters), *space.fixed]
        self._table = TrialsTable(folder.trials_table, names)
        self._retention = Retention(folder, keep=keep, mode=space.settings.mode)
        self._ends: dict[str, tuple[str, str]] = {}
        self._promoted: Winner | None = None
        self._resumed: dict[str, Trial] = {}
        # Trials whose worker met a full disk: they have not ended, and are taken up by --resume.
        self._suspended: set[str] = set()
        self.trials: dict[str, Trial] = {}
        self.winner: Winner | None = None
        self.confusion: list[list[int]] | None = None

    def __getstate__(self) -> dict[str, object]:
        # Ray pickles its tuner, with all that hangs on it, into a file that nothing here ever reads.
        return {}

    def next(self) -> tuple[str, dict[str, Scalar]] | None:
        """The next trial to run, or None when all have been handed out."""
        return self._study.ask()

    def stored(self) -> list[StoredTrial]:
        """What the study knows of the trials handed out so far, without the epochs that a worker will repeat."""
        return [self._without_repeated(stored) for stored in self._study.stored()]

    def _without_repeated(self, stored: StoredTrial) -> StoredTrial:
        resumed = self._resumed.get(stored.trial_id)
        if resumed is None:
            return stored
        return replace(stored, scores={e: score for e, score in stored.scores.items() if e <= resumed.epochs})

    def restore(self) -> list[Trial]:
        """Take up the sweep where its files say it was; gives the trials that are finished already.

        A trial that is not finished keeps the epochs up to its last resumable state; a worker repeats the others.
        """
        known = read_epochs(self._folder.epochs_table)
        took = read_seconds(self._folder.trials_table)
        kept: list[dict[str, str]] = []
        for stored in self._study.stored():
            settings = self._space.settings
            trial = Trial(stored.trial_id, stored.parameters, settings.metric, settings.mode)
            seconds = 0.0
            last = None if stored.state != "RUNNING" else resumable_epoch(self._folder.trial(stored.trial_id))
            for row in known.get(stored.trial_id, []):
                if last is None or int(row["epoch"]) <= last:
                    trial.add_epoch(int(row["epoch"]), metrics_of(row), 0.0)
                    seconds += float(row["seconds"])
                    kept.append(row)
            trial.seconds = seconds if stored.state == "RUNNING" else took.get(trial.trial_id, seconds)
            self._take_up(trial, stored)
        self._epochs.rewrite(kept)
        finished = [trial for trial in self.trials.values() if trial.state != "RUNNING"]
        if self.winner is not None and promoted(self._folder) == (self.winner.trial_id, self.winner.epoch):
            self._promoted = self.winner
        # The driver may have died between a trial's end and what was to follow from it.
        for trial in finished:
            drop_state(self._folder.trial(trial.trial_id) / STATE)
        self._retain(finished)
        return finished

    def _take_up(self, trial: Trial, stored: StoredTrial) -> None:
        if stored.state == "RUNNING":
            self._resumed[trial.trial_id] = trial
        else:
            trial.state, trial.reason = stored.state, stored.reason
            self.trials[trial.trial_id] = trial
        if trial.best_score is not None and self._leads(trial.best_score, trial):
            self.winner = Winner(trial.trial_id, trial.best_epoch, trial.best_score)

    def started(self, trial_id: str, parameters: Mapping[str, Scalar]) -> None:
        """A worker begins a trial; a second beginning of the same trial goes on where it was."""
        if trial_id in self.trials:
            return
        settings = self._space.settings
        trial = self._resumed.pop(trial_id, None) or Trial(trial_id, parameters, settings.metric, settings.mode)
        trial.started = time.monotonic() - trial.seconds
        self.trials[trial_id] = trial
        self._board.start(trial_id, parameters)
        self._table.write(list(self.trials.values()))
        self._observer.trial_started(self._view(trial))

    def report(self, trial_id: str, report: Mapping[str, Any]) -> None:
        """A worker reports a block of epochs, and perhaps why there will be no more."""
        trial = self.trials[trial_id]
        if report["failure"] == "storage":
            self._suspended.add(trial_id)
            raise StorageError(str(report["message"]))
        if report["failure"]:
            self.will_end(trial_id, str(report["failure"]), str(report["message"]))
        epochs: list[EpochReport] = [epoch for epoch in report["epochs"] if epoch.epoch > trial.epochs]
        if not epochs:
            return
        before = self.winner
        for epoch in epochs:
            score = epoch.metrics[trial.metric]
            if trial.add_epoch(epoch.epoch, epoch.metrics, epoch.throughput) and self._leads(score, trial):
                self.winner, self.confusion = Winner(trial_id, epoch.epoch, score), epoch.confusion
        # The table first: whatever the study knows of an epoch, the table then knows too.
        self._epochs.add(trial_id, epochs)
        self._study.report(trial_id, {epoch.epoch: epoch.metrics[trial.metric] for epoch in epochs})
        self._board.epochs(trial_id, epochs)
        self._observer.epoch_finished(self._view(trial))
        if self.winner is not None and self.winner != before:
            self._observer.best_changed(self._view(trial), self.winner.epoch, self.winner.score)

    def will_end(self, trial_id: str, reason: str, message: str = "") -> None:
        """Say why a trial is about to end before its last epoch; the first reason counts."""
        self._ends.setdefault(trial_id, (reason, message))

    def finished(self, trial_id: str, *, broken: tuple[str, str] | None = None) -> None:
        """A trial has ended.

        Args:
            trial_id: the trial.
            broken: reason and message, where it did not end by itself or by the scheduler.
        """
        trial = self.trials[trial_id]
        if trial.state != "RUNNING" or trial_id in self._suspended:
            return
        reason, message = self._ends.get(trial_id, broken or ("", ""))
        if reason == "asha":
            trial.end("PRUNED", reason)
        elif reason or trial.best_score is None:
            trial.end("FAILED", reason or "error", message)
        else:
            trial.end("COMPLETE", "")
        # Ray stops a trial at its last epoch without letting the worker tidy up.
        drop_state(self._folder.trial(trial_id) / STATE)
        self._study.finish(trial_id, trial.state, trial.reason, trial.best_score)
        self._board.end(trial_id, trial.state)
        self._table.write(list(self.trials.values()))
        if self.winner is not None and self.winner.trial_id == trial_id:
            self.promote()
        self._retain([trial])
        self._observer.trial_finished(self._view(trial))
        if message:
            self._observer.note(f"trial {trial_id} failed ({trial.reason}): {message}")

    def promote(self) -> None:
        """Copy the winner's model to `best/`, and its confusion matrix to TensorBoard."""
        if self.winner is None or self.winner == self._promoted:
            return
        try:
            promote(self._folder, self.winner.trial_id, self.winner.epoch)
        except ModelMissingError as error:
            self._observer.note(str(error))
            return
        self._promoted = self.winner
        if self.confusion is not None:
            from ecgtune.report.plots import confusion_figure  # matplotlib, which no sweep needs before

            counts = np.array(self.confusion, dtype=np.int64)
            self._board.figure("confusion/best trial", confusion_figure(counts, self._classes), self.winner.epoch)

    def close(self) -> None:
        """Write what is known; trials that still run stay RUNNING. What one step cannot do, the others still do."""
        with ExitStack() as steps:
            steps.callback(self._board.close)
            steps.callback(self._epochs.close)
            steps.callback(self.promote)
            steps.callback(lambda: self._table.write(list(self.trials.values())))

    def _retain(self, ended: Sequence[Trial]) -> None:
        winner = self.winner.trial_id if self.winner else None
        self._retention.ended({trial.trial_id: trial.best_score for trial in ended}, winner)

    def _leads(self, score: float, trial: Trial) -> bool:
        return better(score, self.winner.score if self.winner else None, trial.mode)

    def _view(self, trial: Trial) -> TrialView:
        varying = {p.name: trial.parameters[p.name] for p in self._space.parameters if p.name in trial.parameters}
        return trial.view(varying, self._max_epochs)
