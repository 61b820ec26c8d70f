"""Drawing configurations: a search space asked of an Optuna trial, define-by-run."""

from collections.abc import Callable
from typing import cast

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from ecgtune.config import STAGE_CONFIGS, Scalar, parameters
from ecgtune.space import Categorical, Float, Int, Parameter, SearchSpace, is_active

SEARCHERS: dict[str, Callable[[int], BaseSampler]] = {
    # `group` lets the multivariate model treat each branch of a conditional space as a space of its own.
    "tpe": lambda seed: TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
    "random": lambda seed: RandomSampler(seed=seed),
}


def suggest(trial: optuna.Trial, space: SearchSpace) -> dict[str, Scalar]:
    """Draw one configuration: the parameters whose conditions hold, and the fixed ones.

    Args:
        trial: of the study whose sampler decides.
        space: the parameters in an order where a condition speaks of earlier ones only.
    """
    values: dict[str, Scalar] = dict(space.fixed)
    for parameter in space.parameters:
        if is_active(parameter, values):
            values[parameter.name] = _draw(trial, parameter)
    return values


def default_point(space: SearchSpace) -> dict[str, Scalar] | None:
    """Every searched parameter at its default, beside the space's fixed values; None where that lies outside."""
    defaults = parameters(STAGE_CONFIGS[space.settings.stage]())
    values: dict[str, Scalar] = dict(space.fixed)
    drawn: dict[str, Scalar] = {}
    for parameter in space.parameters:
        if is_active(parameter, values):
            default = defaults[parameter.name]
            if not _contains(parameter, default):
                return None
            values[parameter.name] = drawn[parameter.name] = default
    return drawn


def _draw(trial: optuna.Trial, parameter: Parameter) -> Scalar:
    match parameter:
        case Float(name=name, low=low, high=high, log=log, step=step):
            return trial.suggest_float(name, low, high, log=log, step=step)
        case Int(name=name, low=low, high=high, log=log, step=step):
            return trial.suggest_int(name, low, high, log=log, step=step)
        case Categorical(name=name, choices=choices):
            return cast(Scalar, trial.suggest_categorical(name, choices))


def _contains(parameter: Parameter, value: Scalar) -> bool:
    match parameter:
        case Float(low=low, high=high, step=step):
            number = float(value)
            on_grid = step is None or abs((number - low) / step - round((number - low) / step)) < 1e-9
            return low <= number <= high and on_grid
        case Int(low=low, high=high, step=step):
            whole = int(value)
            return low <= whole <= high and (whole - low) % step == 0
        case Categorical(choices=choices):
            return value in choices
