"""All points of a search space, where it has finitely many."""

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from ecgtune.config import Scalar
from ecgtune.space.parameters import Categorical, Float, Int, Parameter, is_active


def values_of(parameter: Parameter) -> list[Scalar] | None:
    """The values that a parameter can have, in their order; None where they are a continuum."""
    match parameter:
        case Float(low=low, high=high, step=float(step)):
            count = math.floor((high - low) / step + 1e-9) + 1
            # In decimals, as they are written: 3 steps of 0.1 are 0.3.
            return [float(Decimal(str(low)) + number * Decimal(str(step))) for number in range(count)]
        case Int(low=low, high=high, step=step):
            return list(range(low, high + 1, step))
        case Categorical(choices=choices):
            return list(choices)
        case _:
            return None


def continuous(parameters: Sequence[Parameter]) -> list[str]:
    """The names of the parameters that have no list of values."""
    return [parameter.name for parameter in parameters if isinstance(parameter, Float) and parameter.step is None]


def points(parameters: Sequence[Parameter], fixed: Mapping[str, Scalar]) -> Iterator[dict[str, Scalar]]:
    """Every point once: the values of the parameters in play there, without the fixed ones.

    Args:
        parameters: in an order in which every condition refers to an earlier one or to `fixed`; none is continuous.
        fixed: what the space sets.
    """
    return _points(parameters, dict(fixed), {})


def _points(
    parameters: Sequence[Parameter], known: dict[str, Scalar], point: dict[str, Scalar]
) -> Iterator[dict[str, Scalar]]:
    if not parameters:
        yield point
        return
    parameter, *others = parameters
    if not is_active(parameter, known):
        yield from _points(others, known, point)
        return
    for value in values_of(parameter) or ():
        yield from _points(others, {**known, parameter.name: value}, {**point, parameter.name: value})
