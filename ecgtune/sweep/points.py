"""Configurations as points of a search space: which lie in it, and which are the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ecgtune.config import STAGE_CONFIGS, Scalar, parameters
from ecgtune.space import Categorical, Float, Int, Parameter, SearchSpace, is_active

Key: TypeAlias = tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class FirstPoint:
    """A configuration, or a part of one, that a sweep begins with.

    Args:
        origin: where it comes from.
        values: of the parameters, without the fixed ones.
    """

    origin: str
    values: Mapping[str, Scalar]


def winners_content(winners: Sequence[FirstPoint]) -> list[dict[str, Any]]:
    """Winners of earlier sweeps as `sweep.toml` has them."""
    return [{"origin": winner.origin, "parameters": dict(winner.values)} for winner in winners]


def winners_from(content: Sequence[Mapping[str, Any]]) -> tuple[FirstPoint, ...]:
    """Winners as `winners_content` wrote them."""
    return tuple(FirstPoint(str(each["origin"]), each["parameters"]) for each in content)


def default_point(space: SearchSpace) -> dict[str, Scalar] | None:
    """Every searched parameter at its default, beside the space's fixed values; None where that lies outside."""
    defaults = parameters(STAGE_CONFIGS[space.settings.stage]())
    values: dict[str, Scalar] = dict(space.fixed)
    drawn: dict[str, Scalar] = {}
    for parameter in space.parameters:
        if is_active(parameter, values):
            default = defaults[parameter.name]
            if not contains(parameter, default):
                return None
            values[parameter.name] = drawn[parameter.name] = default
    return drawn


def contains(parameter: Parameter, value: Scalar) -> bool:
    """Whether a parameter can have a value."""
    match parameter:
        case Float(low=low, high=high, step=step):
            if isinstance(value, (bool, str)):
                return False
            on_grid = step is None or abs((value - low) / step - round((value - low) / step)) < 1e-9
            return low <= value <= high and on_grid
        case Int(low=low, high=high, step=step):
            return type(value) is int and low <= value <= high and (value - low) % step == 0
        case Categorical(choices=choices):
            return _place(choices, value) is not None


def point_key(space: SearchSpace, values: Mapping[str, Scalar]) -> Key:
    """Something that two points have in common only if they are the same configuration.

    Args:
        space: whose parameters count.
        values: of the parameters in play; others are passed over.
    """
    key: list[tuple[str, float | None]] = []
    for parameter in space.parameters:
        if parameter.name not in values:
            continue
        value = values[parameter.name]
        match parameter:
            case Categorical(choices=choices):
                key.append((parameter.name, _place(choices, value)))
            case Float(low=low, step=float(step)):
                # On a grid, Optuna and we may differ in the last bit.
                key.append((parameter.name, round((float(value) - low) / step)))
            case _:
                key.append((parameter.name, float(value)))
    return tuple(key)


def _place(choices: tuple[Scalar, ...], value: Scalar) -> int | None:
    """The place of a value among the choices; `true` is not 1 here."""
    for place, choice in enumerate(choices):
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return place
    return None
