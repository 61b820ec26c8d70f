"""The three kinds of parameter a sweep can vary, and the conditions under which each is in play."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ecgtune.config import Scalar

When: TypeAlias = Mapping[str, tuple[Scalar, ...]]


@dataclass(frozen=True)
class Float:
    """A real number in [low, high]; on a grid from `low` where there is a `step`.

    `when` names parameters and the values each must have; the parameter is in play only where all hold.
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: When = field(default_factory=dict)


@dataclass(frozen=True)
class Int:
    """A whole number in [low, high], `step` apart. `when` as in `Float`."""

    name: str
    low: int
    high: int
    log: bool = False
    step: int = 1
    when: When = field(default_factory=dict)


@dataclass(frozen=True)
class Categorical:
    """One of `choices`. `when` as in `Float`."""

    name: str
    choices: tuple[Scalar, ...]
    when: When = field(default_factory=dict)


Parameter: TypeAlias = Float | Int | Categorical


def is_active(parameter: Parameter, values: Mapping[str, Scalar]) -> bool:
    """Whether a parameter is in play.

    Args:
        parameter: the parameter in question.
        values: what the space fixes, and what was drawn for the parameters before this one.
    """
    return all(name in values and values[name] in wanted for name, wanted in parameter.when.items())


def active(parameters: Iterable[Parameter], values: Mapping[str, Scalar]) -> tuple[str, ...]:
    """The names of the parameters in play, in their order.

    Args:
        parameters: in an order in which every condition refers to an earlier one.
        values: what the space fixes and a value for each parameter in play; values of others are ignored.
    """
    names = {parameter.name for parameter in parameters}
    seen = {name: value for name, value in values.items() if name not in names}
    playing = []
    for parameter in parameters:
        if is_active(parameter, seen):
            playing.append(parameter.name)
            if parameter.name in values:
                seen[parameter.name] = values[parameter.name]
    return tuple(playing)
