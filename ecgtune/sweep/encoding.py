"""Points of a search space as vectors, so that near points have near vectors."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeGuard

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
        if isinstance(parameter, Categorical) and not _are_numbers(parameter.choices):
            for choice in parameter.choices:
                columns.append([0.5 * (name in point and _same(point[name], choice)) for point in points])
        else:
            columns.append([place(parameter, point[name]) if name in point else _ABSENT for point in points])
    return np.array(columns, dtype=np.float64).reshape(len(columns), len(points)).T


def place(parameter: Parameter, value: Scalar) -> float:
    """Where in its range a number lies, 0 to 1; where among its choices, if those are numbers.

    Raises:
        TypeError: it is one of several choices that have no order.
    """
    if isinstance(parameter, Categorical) and _are_numbers(parameter.choices):
        return sorted(parameter.choices).index(value) / max(1, len(parameter.choices) - 1)
    if isinstance(parameter, Categorical) or isinstance(value, str):
        raise TypeError(f"{parameter.name}: a choice has no place in a range")
    low, high, number = float(parameter.low), float(parameter.high), float(value)
    if low == high:
        return 0.0
    if parameter.log:
        low, high, number = math.log(low), math.log(high), math.log(number)
    return (number - low) / (high - low)


def _are_numbers(choices: Sequence[Scalar]) -> TypeGuard[Sequence[int | float]]:
    return all(isinstance(choice, (int, float)) and not isinstance(choice, bool) for choice in choices)


def _same(value: Scalar, choice: Scalar) -> bool:
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)
