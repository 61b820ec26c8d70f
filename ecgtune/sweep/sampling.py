"""Drawing a configuration: a search space asked of one of Optuna's samplers, or of ours."""

from collections.abc import Callable, Mapping
from typing import cast

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from ecgtune.config import Scalar
from ecgtune.space import Categorical, Float, Int, Parameter, SearchSpace, is_active
from ecgtune.sweep.seen import SeenStudy


# The two that are seldom wanted are imported when they are: half a second each.
def _gp(seed: int, space: SearchSpace) -> BaseSampler:
    from ecgtune.sweep.gp import GpSampler

    return GpSampler(seed, space)


def _cma(seed: int, space: SearchSpace) -> BaseSampler:
    from ecgtune.sweep.cma import CmaSampler

    return CmaSampler(seed, numeric_distributions(space))


SEARCHERS: Mapping[str, Callable[[int, SearchSpace], BaseSampler] | None] = {
    # `group` lets the multivariate model treat each branch of a conditional space as a space of its own.
    "tpe": lambda seed, _space: TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
    "gp": _gp,
    "cmaes": _cma,
    "random": lambda seed, _space: RandomSampler(seed=seed),
    "grid": None,
}
"""The name in a space file -> what draws one trial, made anew for each from its seed; the grid needs no drawing."""


def distribution(parameter: Parameter) -> BaseDistribution:
    """Optuna's form of a parameter."""
    match parameter:
        case Float(low=low, high=high, log=log, step=step):
            return FloatDistribution(low, high, log=log, step=step)
        case Int(low=low, high=high, log=log, step=step):
            return IntDistribution(low, high, log=log, step=step)
        case Categorical(choices=choices):
            return CategoricalDistribution(choices)


def distributions(space: SearchSpace, values: Mapping[str, Scalar]) -> dict[str, BaseDistribution]:
    """Optuna's form of the parameters that have a value."""
    return {parameter.name: distribution(parameter) for parameter in space.parameters if parameter.name in values}


def numeric_distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Those of the parameters that are numbers and always in play."""
    return {
        parameter.name: distribution(parameter)
        for parameter in space.parameters
        if not isinstance(parameter, Categorical) and not parameter.when
    }


def draw(
    sampler: BaseSampler, study: SeenStudy, number: int, space: SearchSpace, given: Mapping[str, Scalar]
) -> dict[str, Scalar]:
    """Draw one configuration: the parameters whose conditions hold, without the fixed ones.

    Args:
        sampler: decides.
        study: what it sees.
        number: of the new trial.
        space: the parameters in an order where a condition speaks of earlier ones only.
        given: parameters that are not drawn.
    """
    trial = FrozenTrial(
        number=number,
        trial_id=study.slot,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=None,
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )
    sampler.before_trial(study, trial)
    together = sampler.infer_relative_search_space(study, trial)
    relative = sampler.sample_relative(study, trial, together)
    values: dict[str, Scalar] = dict(space.fixed)
    drawn: dict[str, Scalar] = {}
    for parameter in space.parameters:
        if not is_active(parameter, values):
            continue
        name, found = parameter.name, distribution(parameter)
        if name in given:
            value = given[name]
        elif found.single():
            value = parameter.choices[0] if isinstance(parameter, Categorical) else parameter.low
        elif name in relative:
            value = relative[name]
        else:
            value = sampler.sample_independent(study, trial, name, found)
        trial.params[name], trial.distributions[name] = value, found
        values[name] = drawn[name] = value
    return drawn


def suggest(trial: optuna.Trial, space: SearchSpace) -> dict[str, Scalar]:
    """The configuration of a trial whose parameters are settled, the fixed ones included; the study learns it here.

    Args:
        trial: of the study; its parameters are known, or were given when it was enqueued.
        space: the parameters in an order where a condition speaks of earlier ones only.
    """
    values: dict[str, Scalar] = dict(space.fixed)
    for parameter in space.parameters:
        if is_active(parameter, values):
            values[parameter.name] = _suggest(trial, parameter)
    return values


def _suggest(trial: optuna.Trial, parameter: Parameter) -> Scalar:
    match parameter:
        case Float(name=name, low=low, high=high, log=log, step=step):
            return trial.suggest_float(name, low, high, log=log, step=step)
        case Int(name=name, low=low, high=high, log=log, step=step):
            return trial.suggest_int(name, low, high, log=log, step=step)
        case Categorical(name=name, choices=choices):
            return cast(Scalar, trial.suggest_categorical(name, choices))
