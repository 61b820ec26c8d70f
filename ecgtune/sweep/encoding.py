"""Points of a search space as vectors, so that near points have near vectors."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ecgtune.config import Scalar
from ecgtune.space import Categorical, Parameter

# Where a parameter that is not in play lies: outside of its range, and not far from any value.
_ABSENT = -0.5


def encode(parameters: Sequence[Parameter], points: Sequence[Mapping[str, Scalar]]) -> NDArray[np.float64]:
    """[n, d]: a number's place in its range, 0 to 1, logarithmic where the parameter is; half a unit for a choice.

    Two different choices are so at distance 1 in the sum of absolute differences, as the two ends of a range are.
    Choices that are numbers, such as batch sizes, have an order: each lies at its place in it.

    Args:
        parameters: of the space.
        points: the values of the parameters in play.
    """
    columns: list[list[float]] = []
    for parameter in parameters:
        name = parameter.name
        if isinstance(parameter, Categorical) and not ordered(parameter):
            for choice in parameter.choices:
                columns.append([0.5 * (name in point and _same(point[name], choice)) for point in points])
        else:
            where = places(parameter)
            columns.append([where(point[name]) if name in point else _ABSENT for point in points])
    return np.array(columns, dtype=np.float64).reshape(len(columns), len(points)).T


def ordered(parameter: Categorical) -> bool:
    """Whether the choices are numbers."""
    return all(isinstance(choice, (int, float)) and not isinstance(choice, bool) for choice in parameter.choices)


def places(parameter: Parameter) -> Callable[[Scalar], float]:
    """Gives where in its range a value lies, 0 to 1; where among its choices, which have to be `ordered`."""
    if isinstance(parameter, Categorical):
        among = sorted(parameter.choices, key=float)
        known = {choice: number / max(1, len(among) - 1) for number, choice in enumerate(among)}
        return known.__getitem__
    scale = math.log if parameter.log else float
    low, high = scale(parameter.low), scale(parameter.high)
    width = (high - low) or 1.0
    return lambda value: (scale(float(value)) - low) / width


def _same(value: Scalar, choice: Scalar) -> bool:
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)
