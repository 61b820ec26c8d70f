"""What a sampler gets to see of a sweep: its trials, shown such that it draws the right conclusions."""

import copy
from collections.abc import Container, Sequence
from typing import Any, Literal

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

# Why a trial failed, where that speaks against its configuration rather than against the machine or the code.
_OWN_FAULT = ("nan", "out_of_memory")


class SeenStudy(optuna.Study):
    """A study in memory that holds no trials but shows those it is given.

    Samplers read a study's trials through one method; what they write is kept in the memory of `slot`, and lost.

    Args:
        direction: `minimize` or `maximize`.
    """

    def __init__(self, direction: Literal["minimize", "maximize"]) -> None:
        made = optuna.create_study(direction=direction)
        super().__init__(made.study_name, made._storage)
        self.shown: Sequence[FrozenTrial] = ()
        # A trial that samplers may attach their notes to.
        self.slot = self.ask()._trial_id

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,  # noqa: ARG002 Optuna's
    ) -> list[FrozenTrial]:
        trials = [trial for trial in self.shown if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """The trials shown."""
        return self._get_trials(deepcopy, states)


def honest(trials: Sequence[FrozenTrial], *, paused: bool) -> list[FrozenTrial]:
    """Trials as a sampler should take them.

    Args:
        trials: handed out, in the order of their numbers.
        paused: whether a trial that has not ended may be paused. To a sampler, trials that run are as good as bad
            ones; so one that has got anywhere is shown as pruned there.

    Returns:
        As many trials. One that failed through its configuration is shown as pruned before it got anywhere: samplers
        pass over failures.
    """
    shown = []
    for trial in trials:
        if trial.state == TrialState.FAIL and trial.user_attrs.get("reason") in _OWN_FAULT:
            shown.append(_as(trial, TrialState.PRUNED, None, {}))
        elif trial.state == TrialState.RUNNING and paused and trial.intermediate_values:
            values = trial.intermediate_values
            shown.append(_as(trial, TrialState.PRUNED, values[max(values)], values))
        else:
            shown.append(trial)
    return shown


def ranked(trials: Sequence[FrozenTrial], direction: StudyDirection) -> list[FrozenTrial]:
    """Complete and pruned trials, the best first: complete ones by score, then those that got furthest."""
    sign = 1 if direction == StudyDirection.MINIMIZE else -1

    def order(trial: FrozenTrial) -> tuple[int, int, float]:
        if trial.state == TrialState.COMPLETE:
            return 0, 0, sign * float(trial.value or 0.0)
        if not trial.intermediate_values:
            return 2, 0, 0.0
        last = max(trial.intermediate_values)
        return 1, -last, sign * trial.intermediate_values[last]

    known = (TrialState.COMPLETE, TrialState.PRUNED)
    return sorted((trial for trial in trials if trial.state in known), key=order)


def _as(trial: FrozenTrial, state: TrialState, value: float | None, values: dict[int, float]) -> FrozenTrial:
    changed: dict[str, Any] = {"state": state, "value": value, "intermediate_values": values}
    return FrozenTrial(
        number=trial.number,
        trial_id=trial._trial_id,
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_start,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=trial.user_attrs,
        system_attrs=trial.system_attrs,
        **changed,
    )
