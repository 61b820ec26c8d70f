"""The order of parameters in which every `when` refers to an earlier one, and what is wrong with conditions."""

from collections.abc import Collection, Mapping, Sequence

from ecgtune.config import Scalar, Stage, check
from ecgtune.space.parameters import Categorical, Parameter


def in_order(
    stage: Stage, parameters: Mapping[str, Parameter], fixed: Mapping[str, Scalar], broken: Collection[str]
) -> tuple[tuple[Parameter, ...], list[tuple[str, str]]]:
    """Order parameters so that every condition refers to an earlier one, otherwise as they were given.

    Args:
        stage: the stage whose parameters are varied.
        parameters: the parameters by name.
        fixed: fixed values by name; a condition may refer to one.
        broken: names whose own entry is wrong, so that nothing can be said of conditions on them.

    Returns:
        The parameters in order, and each mistake with the name of the parameter that makes it.
    """
    mistakes = [
        (parameter.name, text)
        for parameter in parameters.values()
        for other, wanted in parameter.when.items()
        for text in _condition(stage, parameter.name, other, wanted, parameters, fixed, broken)
    ]
    ordered: dict[str, Parameter] = {}
    waiting = dict(parameters)
    while waiting:
        ready = [p for p in waiting.values() if not (set(p.when) - {p.name}) & waiting.keys()]
        if not ready:
            circle = ", ".join(_circle(waiting))
            mistakes.append((next(iter(waiting)), f"the conditions go round in a circle: {circle}; remove one of them"))
            break
        # One at a time, from the front again, so that a parameter stays as near to its place in the file as it can.
        ordered[ready[0].name] = waiting.pop(ready[0].name)
    return tuple(ordered.values()), mistakes


def _condition(
    stage: Stage,
    name: str,
    other: str,
    wanted: Sequence[Scalar],
    parameters: Mapping[str, Parameter],
    fixed: Mapping[str, Scalar],
    broken: Collection[str],
) -> list[str]:
    where = f"{name}: when {other}"
    if other == name:
        return [f"{where}: a parameter cannot depend on itself; remove the condition"]
    if other in broken:
        return []
    if other in fixed:
        return [f"{where}: {mistake}" for value in wanted for mistake in check(stage, other, value)]
    if other not in parameters:
        if unknown := check(stage, other, wanted[0]):
            return [f"{where}: {mistake}" for mistake in unknown]
        return [f"{where}: that parameter is not in this file; give it choices, or a fixed value"]
    parent = parameters[other]
    if not isinstance(parent, Categorical):
        return [f"{where}: a condition needs a parameter with choices, and this one has a range"]
    choices = ", ".join(map(repr, parent.choices))
    return [
        f"{where} = {value!r}: must be among its choices, {choices}" for value in wanted if not _among(value, parent)
    ]


def _among(value: Scalar, parent: Categorical) -> bool:
    return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in parent.choices)


def _circle(waiting: Mapping[str, Parameter]) -> list[str]:
    """The names on one circle, the first one again at its end."""
    path = [next(iter(waiting))]
    while True:
        following = next(name for name in waiting[path[-1]].when if name in waiting and name != path[-1])
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)
