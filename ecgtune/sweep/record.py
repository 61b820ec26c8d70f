"""The record of a sweep: the one place through which every event passes.

From here it goes to the study, the tables, TensorBoard, the display and the winner's folder, so that they cannot
disagree.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from ecgtune.config import Scalar
from ecgtune.errors import StorageError
from ecgtune.space import SearchSpace
from ecgtune.sweep.block import EpochReport
from ecgtune.sweep.events import SweepObserver, TrialView
from ecgtune.sweep.failures import FAILURES, FailingStart
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.keeper import STATE
from ecgtune.sweep.leader import Leader, Winner
from ecgtune.sweep.resuming import read_back
from ecgtune.sweep.retention import KEEP, Retention
from ecgtune.sweep.shortage import MEMORY, note_shortage
from ecgtune.sweep.storage import LocalStorage, Storage
from ecgtune.sweep.study import SweepStudy
from ecgtune.sweep.tables import EpochsTable, TrialsTable
from ecgtune.sweep.tensorboard import SweepBoard
from ecgtune.sweep.trial import Trial
from ecgtune.sweep.waiting import WaitingTrials
from ecgtune.training.state import newest_state


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
        storage: where the trials' files lie; None means in the folder.
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
        storage: Storage | None = None,
    ) -> None:
        self._storage: Storage = storage or LocalStorage(folder)
        self._folder = folder
        self._space = space
        self._study = study
        self._board = board
        self._observer = observer
        self._max_epochs = max_epochs
        self._epochs = EpochsTable(folder.epochs_table)
        names = [*(parameter.name for parameter in space.parameters), *space.fixed]
        self._table = TrialsTable(folder.trials_table, names)
        self._retention = Retention(folder, keep=keep, mode=space.settings.mode, remove=self._storage.remove_weights)
        self._waiting = WaitingTrials(folder, space.settings.mode, self._storage.drop_state)
        self._leader = Leader(folder, board, classes, space.settings.mode, observer.note, self._storage.fetch)
        self._failing_start = FailingStart()
        self._ends: dict[str, tuple[str, str]] = {}
        self._pausing: set[str] = set()
        # Trials of an earlier run that have not ended, until a worker takes them up.
        self._resumed: dict[str, Trial] = {}
        # Trials whose worker met a full disk: they have not ended, and are taken up by --resume.
        self._suspended: set[str] = set()
        self.trials: dict[str, Trial] = {}
        self.history: list[tuple[str, int, float]] = []
        """Trial, epoch and score of each epoch of an earlier run, in the order in which they came."""

    def __getstate__(self) -> dict[str, object]:
        # Ray pickles its tuner, with all that hangs on it, into a file that nothing here ever reads.
        return {}

    @property
    def winner(self) -> Winner | None:
        """The best epoch so far."""
        return self._leader.winner

    @property
    def running(self) -> bool:
        """Whether any trial is being trained."""
        return any(trial.state == "RUNNING" for trial in self.trials.values())

    @property
    def best(self) -> tuple[TrialView, int, float] | None:
        """Trial, epoch and score of the best epoch so far."""
        if self.winner is None:
            return None
        trial = self.trials.get(self.winner.trial_id) or self._resumed[self.winner.trial_id]
        return self.view(trial), self.winner.epoch, self.winner.score

    def trains(self, trial_id: str) -> bool:
        """Whether a worker has begun with a trial, and it has neither ended nor been paused since."""
        trial = self.trials.get(trial_id)
        return trial is not None and trial.state == "RUNNING"

    @property
    def unfinished(self) -> list[str]:
        """The trials of an earlier run that nobody has taken up yet."""
        return list(self._resumed)

    def restore(self) -> list[Trial]:
        """Take up the sweep where its files say it was; gives the trials that are finished already.

        A trial that is not finished keeps the epochs up to its last resumable state; a worker repeats the others.
        """
        stored = self._study.stored()
        for each in stored:
            if each.state == "RUNNING":
                self._storage.fetch(each.trial_id, STATE)
        back = read_back(self._folder, stored, self._space.settings.metric, self._space.settings.mode)
        for known in back.epochs:
            if known.best_so_far:
                self._leader.see(known.trial_id, known.epoch, known.score)
            self.history.append((known.trial_id, known.epoch, known.score))
        for trial in back.trials:
            (self._resumed if trial.state == "RUNNING" else self.trials)[trial.trial_id] = trial
        self._epochs.rewrite(back.rows)
        self._leader.restored()
        finished = list(self.trials.values())
        self._failing_start.restored(finished)
        # The driver may have died between a trial's end and what was to follow from it.
        for trial in finished:
            self._storage.drop_state(trial.trial_id)
        self._retain(finished)
        return finished

    def parameters(self, trial_id: str) -> dict[str, Scalar]:
        """Of a trial that was handed out."""
        return dict((self.trials.get(trial_id) or self._resumed[trial_id]).parameters)

    def started(self, trial_id: str, parameters: Mapping[str, Scalar]) -> None:
        """A worker begins a trial, or goes on with one that was paused or lost its worker."""
        trial = self.trials.get(trial_id)
        if trial is not None and trial.state == "RUNNING":
            return
        if trial is None:
            settings = self._space.settings
            trial = self._resumed.pop(trial_id, None) or Trial(trial_id, parameters, settings.metric, settings.mode)
            self.trials[trial_id] = trial
            self._board.start(trial_id, parameters)
        self.taken_up(trial_id)
        trial.begin()
        self._write_table()
        self._observer.trial_started(self.view(trial))

    def taken_up(self, trial_id: str) -> None:
        """A trial is handed out: nothing of it is removed any more."""
        self._waiting.remove(trial_id)
        self._retention.woken(trial_id)
        self._storage.woken(trial_id)

    def report(self, trial_id: str, report: Mapping[str, Any]) -> None:
        """A worker reports a block of epochs, and perhaps why there will be no more."""
        trial = self.trials[trial_id]
        if report["warning"]:
            self._observer.note(f"trial {trial_id}: {report['warning']}")
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
            if trial.add_epoch(epoch.epoch, epoch.metrics, epoch.throughput, epoch.seconds):
                self._leader.see(trial_id, epoch.epoch, score, epoch.confusion)
        # The table first: whatever the study knows of an epoch, the table then knows too.
        self._epochs.add(trial_id, epochs)
        # The study waits for the disk, too; should the power fail, the table must not be behind it.
        self._epochs.sync()
        self._study.report(trial_id, {epoch.epoch: epoch.metrics[trial.metric] for epoch in epochs})
        self._board.epochs(trial_id, epochs)
        self._observer.epoch_finished(self.view(trial))
        if self.winner is not None and self.winner != before:
            self._observer.best_changed(self.view(trial), self.winner.epoch, self.winner.score)

    def lost_worker(self, trial_id: str, short_of_memory: str) -> None:
        """A trial's worker died, and another one goes on; where memory was short, with half the micro-batch."""
        if short_of_memory:
            self._storage.fetch(trial_id, MEMORY)
            note_shortage(self._folder.trial(trial_id), short_of_memory)
            self._storage.share(trial_id, MEMORY)
        self._observer.note(f"trial {trial_id} lost its worker; another one goes on from its last state.")

    def will_end(self, trial_id: str, reason: str, message: str = "") -> None:
        """Say why a trial is about to end before its last epoch; the first reason counts."""
        self._ends.setdefault(trial_id, (reason, message))

    def will_pause(self, trial_id: str) -> None:
        """Say that a worker is about to put a trial aside; what its scheduler wakes goes on from its state."""
        self._pausing.add(trial_id)

    def give_up(self, reason: str) -> None:
        """End the trials that are paused and will not be woken any more."""
        for trial in [*self.trials.values(), *self._resumed.values()]:
            if trial.state == "PAUSED":
                self.trials[trial.trial_id] = trial
                self.will_end(trial.trial_id, reason)
                self._end(trial, None)
        self._write_table()

    def paused(self, trial_id: str) -> None:
        """Say that a trial of an earlier run is paused, and waits for its scheduler."""
        trial = self._resumed[trial_id]
        trial.pause()
        self._study.set_aside(trial_id)
        # The driver may have died between the pause and what was to follow from it.
        self._set_aside(trial, with_state=newest_state(self._folder.trial(trial_id) / STATE)[0] is not None)

    def finished(self, trial_id: str, *, broken: tuple[str, str] | None = None) -> None:
        """A trial has ended, or is paused.

        Args:
            trial_id: the trial.
            broken: reason and message, where it did not end by itself or by the scheduler.
        """
        trial = self.trials[trial_id]
        if trial.state not in ("RUNNING", "PAUSED") or trial_id in self._suspended:
            return
        if trial_id in self._pausing and trial_id not in self._ends:
            self._pausing.discard(trial_id)
            trial.pause()
            self._study.pause(trial_id, trial.epochs)
            self._set_aside(trial)
            self._write_table()
            self._observer.trial_paused(self.view(trial))
            return
        self._end(trial, broken)
        self._write_table()
        self._storage.hurry()
        self._failing_start.see(trial)

    def promote(self) -> None:
        """Copy the winner's model to `best/`."""
        self._leader.promote()

    def close(self) -> None:
        """Write what is known; trials that still run stay RUNNING. What one step cannot do, the others still do."""
        with ExitStack() as steps:
            steps.callback(self._board.close)
            steps.callback(self._epochs.close)
            steps.callback(self.promote)
            steps.callback(self._write_table)

    def _end(self, trial: Trial, broken: tuple[str, str] | None) -> None:
        """A trial has ended; the table of trials is left as it is."""
        trial_id = trial.trial_id
        reason, message = self._ends.get(trial_id, broken or ("", ""))
        failed = reason in FAILURES or trial.best_score is None
        if failed:
            trial.end("FAILED", reason or "error", message)
        else:
            trial.end("PRUNED" if reason else "COMPLETE", reason, message)
        # Whatever the study knows as finished has its epochs on the disk itself, and only then loses its state.
        self._epochs.sync()
        self._study.finish(trial_id, trial.state, trial.reason, trial.best_score)
        self._waiting.remove(trial_id)
        self._storage.drop_state(trial_id)
        if trial_id not in self._resumed:
            self._board.end(trial_id, trial.state)
        if self.winner is not None and self.winner.trial_id == trial_id:
            self.promote()
        self._retain([trial])
        self._observer.trial_finished(self.view(trial))
        if message:
            self._observer.note(f"trial {trial_id} {'failed' if failed else 'was stopped'} ({trial.reason}): {message}")

    def _set_aside(self, trial: Trial, *, with_state: bool = True) -> None:
        """Keep of a paused trial what is worth it; one without a state takes no other's place."""
        if trial.score is None:
            return
        if with_state:
            self._waiting.add(trial.trial_id, trial.epochs, trial.score)
        self._retain([trial])

    def _retain(self, resting: Sequence[Trial]) -> None:
        winner = self.winner.trial_id if self.winner else None
        self._retention.resting({trial.trial_id: trial.best_score for trial in resting}, winner)

    def _write_table(self) -> None:
        # Those that nobody has taken up since a resume are part of the sweep, too.
        self._table.write([*self.trials.values(), *(t for i, t in self._resumed.items() if i not in self.trials)])

    def view(self, trial: Trial) -> TrialView:
        """A trial as displays see it."""
        varying = {p.name: trial.parameters[p.name] for p in self._space.parameters if p.name in trial.parameters}
        return trial.view(varying, self._max_epochs)
