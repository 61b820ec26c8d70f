"""The Optuna study of a sweep: on disk, told everything, and never told a falsehood.

A trial that the scheduler stops is told as PRUNED with all its intermediate values, so that the sampler does not
take the score of one epoch for that of a hundred; one that ends in NaN is told as FAILED. Ray's own `OptunaSearch`
does neither.
"""

import math
import warnings
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from ecgtune.config import Scalar
from ecgtune.files import storage_errors
from ecgtune.space import SearchSpace
from ecgtune.sweep.events import TrialState as State
from ecgtune.sweep.sampling import SEARCHERS, default_point, suggest

_TOLD = {"COMPLETE": TrialState.COMPLETE, "PRUNED": TrialState.PRUNED, "FAILED": TrialState.FAIL}


class SweepStudy:
    """A persistent study. Trials are known by their number with five digits, `00000` the first.

    Args:
        journal: the study's file; made if it is not there.
        space: what to draw from, and how.
        num_samples: trials to hand out in all.
        seed: of the sampler.
    """

    def __init__(self, journal: Path, space: SearchSpace, *, num_samples: int, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        # `group` and the metric's name are experimental in Optuna only in that their spelling may change.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        self._space = space
        self._num_samples = num_samples
        self._journal = journal
        settings = space.settings
        known = journal.exists()
        with storage_errors(journal.parent):
            self._study = optuna.create_study(
                study_name=journal.parent.name,
                storage=JournalStorage(JournalFileBackend(str(journal))),
                sampler=SEARCHERS[settings.searcher](seed),
                direction="minimize" if settings.mode == "min" else "maximize",
                load_if_exists=True,
            )
            if not known:
                self._study.set_metric_names([settings.metric])
                point = default_point(space)
                if point is not None:
                    self._study.enqueue_trial(point, user_attrs={"origin": "default configuration"})
        self._open: dict[str, optuna.Trial] = {}

    def ask(self) -> tuple[str, dict[str, Scalar]] | None:
        """The next trial's id and parameters, or None when all have been handed out."""
        if len(self._handed_out()) >= self._num_samples:
            return None
        with storage_errors(self._journal.parent):
            trial = self._study.ask()
            trial_id = f"{trial.number:05d}"
            self._open[trial_id] = trial
            return trial_id, suggest(trial, self._space)

    def report(self, trial_id: str, epoch: int, score: float) -> None:
        """Tell one epoch's score; a score that is not finite is left out."""
        if math.isfinite(score):
            with storage_errors(self._journal.parent):
                self._open[trial_id].report(score, step=epoch)

    def finish(self, trial_id: str, state: State, reason: str, score: float | None) -> None:
        """Tell a trial's end.

        Args:
            trial_id: a trial that was handed out and not finished.
            state: COMPLETE, PRUNED or FAILED.
            reason: why it was pruned or failed, else empty.
            score: of the best epoch; needed for COMPLETE.
        """
        with storage_errors(self._journal.parent):
            trial = self._open.pop(trial_id)
            if reason:
                trial.set_user_attr("reason", reason)
            self._study.tell(trial, score if state == "COMPLETE" else None, state=_TOLD[state])

    def _handed_out(self) -> list[optuna.trial.FrozenTrial]:
        waiting = (TrialState.WAITING,)
        return [trial for trial in self._study.get_trials(deepcopy=False) if trial.state not in waiting]
