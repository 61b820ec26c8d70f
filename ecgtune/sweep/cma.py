"""CMA-ES that keeps nothing but what the trials say.

Optuna's own sampler keeps its state as a pickle in the study, which anybody who opens the study would have to trust.
Here the state is worked out anew from the trials, generation by generation.
"""

import math
from typing import Any, cast

import cmaes
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from ecgtune.sweep.seen import ranked

# The first generation's spread, as a share of each parameter's range (Hansen 2016, arXiv 1604.00772).
_SPREAD = 0.25


class CmaSampler(BaseSampler):
    """CMA-ES (Hansen 2016, arXiv 1604.00772) on the given parameters; others are drawn at random.

    A generation is so many trials that it drew, in the order of their numbers, once all of them have ended. Only
    their ranks count, so that pruned ones take part.

    Args:
        seed: of this one draw.
        numeric: the parameters that are numbers and always in play.
    """

    def __init__(self, seed: int, numeric: dict[str, BaseDistribution]) -> None:
        self._seed = seed
        self._numeric = {name: found for name, found in numeric.items() if not found.single()}
        self._others = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters given at the start."""
        return self._numeric

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A point of the newest generation."""
        if not search_space:
            return {}
        dimensions = len(search_space)
        optimiser = cmaes.CMA(
            mean=np.full(dimensions, 0.5),
            sigma=_SPREAD,
            bounds=np.tile([0.0, 1.0], (dimensions, 1)),
            seed=self._seed,
            n_max_resampling=10 * dimensions,
        )
        drawn = [each for each in study.get_trials(deepcopy=False) if "origin" not in each.user_attrs]
        size = optimiser.population_size
        for first in range(0, len(drawn) - size + 1, size):
            generation = [each for each in drawn[first : first + size] if each.state != TrialState.RUNNING]
            if len(generation) < size:
                break
            best_first = ranked(generation, study.direction)
            worst = len(best_first)
            ranks = {each.number: rank for rank, each in enumerate(best_first)}
            optimiser.tell([(_inside(each, search_space), float(ranks.get(each.number, worst))) for each in generation])
        point = optimiser.ask()
        return {
            name: _value(found, float(place)) for (name, found), place in zip(search_space.items(), point, strict=True)
        }

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random."""
        return self._others.sample_independent(study, trial, param_name, param_distribution)


def _inside(trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> np.ndarray:
    return np.array([_place(found, trial.params[name]) for name, found in search_space.items()])


def _place(found: BaseDistribution, value: float) -> float:
    """Where in [0, 1] a value lies."""
    low, high = _ends(found)
    if _is_log(found):
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)


def _value(found: BaseDistribution, place: float) -> float | int:
    """The value at a place in [0, 1]."""
    low, high = _ends(found)
    value = math.exp(math.log(low) + place * math.log(high / low)) if _is_log(found) else low + place * (high - low)
    least, step = cast(Any, found).low, cast(Any, found).step
    if isinstance(found, IntDistribution):
        steps = round((value - least) / step)
        return int(min(max(least + steps * step, least), found.high))
    if step is not None:
        steps = round((value - least) / step)
        return float(min(max(least + steps * step, least), cast(Any, found).high))
    return float(min(max(value, least), cast(Any, found).high))


def _ends(found: BaseDistribution) -> tuple[float, float]:
    """The range, widened by half a step where there are steps, so that each value gets the same share."""
    if isinstance(found, CategoricalDistribution):
        raise TypeError("a category has no place in a range")
    numeric = cast(FloatDistribution | IntDistribution, found)
    half = (numeric.step or 0) / 2
    return numeric.low - half, numeric.high + half


def _is_log(found: BaseDistribution) -> bool:
    return bool(cast(Any, found).log)
