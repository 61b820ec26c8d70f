"""The Optuna study of a sweep: on disk, told everything, and never told a falsehood.

A trial that the scheduler stops is told as PRUNED with all its intermediate values, so that the sampler does not
take the score of one epoch for that of a hundred; one that ends in NaN is told as FAILED. Ray's own `OptunaSearch`
does neither.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.trial import TrialState, create_trial

from ecgtune.config import Scalar
from ecgtune.files import storage_errors
from ecgtune.space import SearchSpace
from ecgtune.sweep.events import TrialState as State
from ecgtune.sweep.first_points import first_points
from ecgtune.sweep.journal import BlockJournal
from ecgtune.sweep.points import FirstPoint
from ecgtune.sweep.proposals import Proposals
from ecgtune.sweep.sampling import distributions, suggest

_TOLD: dict[State, TrialState] = {
    "COMPLETE": TrialState.COMPLETE,
    "PRUNED": TrialState.PRUNED,
    "FAILED": TrialState.FAIL,
}


@dataclass(frozen=True)
class StoredTrial:
    """A trial as the study on disk knows it.

    Args:
        trial_id: five digits.
        state: RUNNING where the sweep ended before the trial did.
        reason: why it was pruned or failed.
        parameters: drawn and fixed.
        scores: epoch -> the metric.
        paused_at: the epoch at which it was paused last; 0 where it never was.
    """

    trial_id: str
    state: State
    reason: str
    parameters: Mapping[str, Scalar]
    scores: Mapping[int, float]
    paused_at: int = 0


class SweepStudy:
    """A persistent study. Trials are known by their number with five digits, `00000` the first.

    The sampler has no memory but the study: it is seeded anew for each trial by the trial's number, so that a sweep
    taken up again draws what it would have drawn.

    Args:
        journal: the study's file; made if it is not there.
        space: what to draw from, and how.
        num_samples: trials to hand out in all.
        seed: of the sampler.
        winners: of earlier sweeps; they are tried after the default configuration, before the sampler decides.
    """

    def __init__(
        self,
        journal: Path,
        space: SearchSpace,
        *,
        num_samples: int,
        seed: int,
        winners: Sequence[FirstPoint] = (),
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        # `group` and the metric's name are experimental in Optuna only in that their spelling may change.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        self._space = space
        self._num_samples = num_samples
        self._journal = journal
        settings = space.settings
        with storage_errors(journal.parent):
            self._file = BlockJournal(journal)
            self._study = optuna.create_study(
                study_name=journal.parent.name,
                storage=JournalStorage(self._file),
                direction="minimize" if settings.mode == "min" else "maximize",
                load_if_exists=True,
            )
            if self._study.metric_names is None:
                self._study.set_metric_names([settings.metric])
            self._enqueue(first_points(space, winners))
        self._proposals = Proposals(space, seed)
        self._open: dict[str, optuna.Trial] = {}
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        self._unfinished = list(running)
        self._reported: dict[str, set[int]] = {}

    def ask(self) -> tuple[str, dict[str, Scalar]] | None:
        """The next trial's id and parameters, or None when all have been handed out.

        Trials that an earlier run left unfinished come first.
        """
        with storage_errors(self._journal.parent):
            trial = self._reopen(self._unfinished.pop(0)) if self._unfinished else self._new()
            if trial is None:
                return None
            trial_id = f"{trial.number:05d}"
            self._open[trial_id] = trial
            with self._file.block():
                return trial_id, suggest(trial, self._space)

    @property
    def unfinished(self) -> bool:
        """Whether `ask` will give a trial that an earlier run left unfinished."""
        return bool(self._unfinished)

    def pause(self, trial_id: str, epoch: int) -> None:
        """Tell that a trial waits after an epoch."""
        with storage_errors(self._journal.parent):
            self._open[trial_id].set_user_attr("paused at", epoch)

    def set_aside(self, trial_id: str) -> None:
        """Leave a paused trial of an earlier run to its scheduler: `ask` does not give it any more."""
        for frozen in self._unfinished:
            if frozen.number == int(trial_id):
                self._unfinished.remove(frozen)
                self._reopen(frozen)
                return

    def _reopen(self, frozen: optuna.trial.FrozenTrial) -> optuna.Trial:
        trial_id = f"{frozen.number:05d}"
        self._reported[trial_id] = set(frozen.intermediate_values)
        self._open[trial_id] = optuna.Trial(self._study, frozen._trial_id)
        return self._open[trial_id]

    def report(self, trial_id: str, scores: Mapping[int, float]) -> None:
        """Tell some epochs' scores; one that is not finite is left out."""
        told = self._reported.get(trial_id, ())
        with storage_errors(self._journal.parent), self._file.block():
            for epoch, score in scores.items():
                if not math.isfinite(score):
                    continue
                if epoch in told:
                    # Optuna's own `report` keeps the first value. On a GPU a repeated epoch may differ from it.
                    number = self._open[trial_id]._trial_id
                    self._study._storage.set_trial_intermediate_value(number, epoch, score)
                else:
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
            trial = self._open[trial_id]
            # Also an empty one: a driver may have died between an earlier reason and the end that it was for.
            if reason or "reason" in trial.user_attrs:
                trial.set_user_attr("reason", reason)
            self._study.tell(trial, score if state == "COMPLETE" else None, state=_TOLD[state])
            del self._open[trial_id]

    def _new(self) -> optuna.Trial | None:
        earlier = self._handed_out()
        number = len(earlier)
        if number >= self._num_samples:
            return None
        if len(self._study.get_trials(deepcopy=False)) > number:
            return self._study.ask()
        point = self._proposals.propose(number, earlier)
        if point is None:
            return None
        # All at once, so that no kill leaves a trial without its parameters.
        found = distributions(self._space, point)
        self._study.add_trial(create_trial(state=TrialState.RUNNING, params=point, distributions=found))
        return optuna.Trial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id)

    def _enqueue(self, chosen: Sequence[FirstPoint]) -> None:
        """Enqueue the points that are not, unless the sampler has had its say already."""
        known = self._study.get_trials(deepcopy=False)
        if all("origin" in trial.user_attrs for trial in known):
            for point in chosen[len(known) :]:
                self._study.enqueue_trial(dict(point.values), user_attrs={"origin": point.origin})

    def stored(self) -> list[StoredTrial]:
        """The trials handed out so far, in their order."""
        names = {state.name: name for name, state in _TOLD.items()}
        return [
            StoredTrial(
                trial_id=f"{trial.number:05d}",
                state=names.get(trial.state.name, "RUNNING"),
                reason=str(trial.user_attrs.get("reason", "")),
                parameters={**self._space.fixed, **trial.params},
                scores=trial.intermediate_values,
                paused_at=int(trial.user_attrs.get("paused at", 0)),
            )
            for trial in self._handed_out()
        ]

    def _handed_out(self) -> list[optuna.trial.FrozenTrial]:
        waiting = (TrialState.WAITING,)
        return [trial for trial in self._study.get_trials(deepcopy=False) if trial.state not in waiting]
