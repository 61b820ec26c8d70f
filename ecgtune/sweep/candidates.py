"""Points of a search space that a model is asked about: drawn from all of it, and near to good ones."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import numpy as np

from ecgtune.config import Scalar
from ecgtune.space import Categorical, Float, Int, Parameter, SearchSpace, is_active
from ecgtune.space.grid import continuous, points
from ecgtune.sweep.encoding import places

# A space with no more points is looked at as a whole.
WHOLE = 1000
_ANYWHERE = 600
_NEAR = 80
# The spread of a step from a good point, as a share of a parameter's range.
_STEP = 0.15


def candidates(
    space: SearchSpace, good: Sequence[Mapping[str, Scalar]], rng: np.random.Generator
) -> list[dict[str, Scalar]]:
    """All points of a small space; of others some hundred, and some dozen near each of the good ones.

    Args:
        space: its fixed values decide which parameters are in play.
        good: points to look around.
        rng: decides.
    """
    if not continuous(space.parameters):
        listed = list(islice(points(space.parameters, space.fixed), WHOLE + 1))
        if len(listed) <= WHOLE:
            return listed
    drawn = [_point(space, lambda parameter: _anywhere(parameter, rng)) for _ in range(_ANYWHERE)]
    return drawn + [_near(space, point, rng) for point in good for _ in range(_NEAR)]


def _point(space: SearchSpace, value: Callable[[Parameter], Scalar]) -> dict[str, Scalar]:
    seen: dict[str, Scalar] = dict(space.fixed)
    point: dict[str, Scalar] = {}
    for parameter in space.parameters:
        if is_active(parameter, seen):
            seen[parameter.name] = point[parameter.name] = value(parameter)
    return point


def _near(space: SearchSpace, point: Mapping[str, Scalar], rng: np.random.Generator) -> dict[str, Scalar]:
    """A point that differs in about two parameters."""
    share = min(1.0, 2.0 / max(1, len(space.parameters)))

    def value(parameter: Parameter) -> Scalar:
        if parameter.name not in point:
            return _anywhere(parameter, rng)
        if rng.random() > share:
            return point[parameter.name]
        if isinstance(parameter, Categorical):
            return _anywhere(parameter, rng)
        return _at(parameter, places(parameter)(point[parameter.name]) + _STEP * rng.standard_normal())

    return _point(space, value)


def _anywhere(parameter: Parameter, rng: np.random.Generator) -> Scalar:
    if isinstance(parameter, Categorical):
        return parameter.choices[int(rng.integers(len(parameter.choices)))]
    return _at(parameter, rng.random())


def _at(parameter: Float | Int, where: float) -> Scalar:
    """The value at a place from 0 to 1; on the grid of a parameter that has one."""
    where = min(max(where, 0.0), 1.0)
    low, high = float(parameter.low), float(parameter.high)
    value = low * math.exp(where * math.log(high / low)) if parameter.log else low + where * (high - low)
    if isinstance(parameter, Int):
        steps = math.floor((parameter.high - parameter.low) / parameter.step)
        return parameter.low + parameter.step * min(steps, round((value - parameter.low) / parameter.step))
    if parameter.step is not None:
        steps = math.floor((high - low) / parameter.step + 1e-9)
        # 3 steps of 0.1 are a little more than 0.3.
        return min(high, low + parameter.step * min(steps, round((value - low) / parameter.step)))
    return min(max(value, low), high)
