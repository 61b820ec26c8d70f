"""One entry of a `[parameters]` table -> a parameter, or everything that is wrong with it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, TypeGuard

from ecgtune.config import STAGES, Scalar, Stage, allowed, check
from ecgtune.space.parameters import Categorical, Float, Int, Parameter, When

_RANGE = ("type", "low", "high", "log", "step", "when")
_CHOICE = ("type", "choices", "when")


class Entry(NamedTuple):
    """What an entry came to: a parameter, or a fixed value, or neither and then `mistakes` says why."""

    parameter: Parameter | None = None
    fixed: Scalar | None = None
    mistakes: tuple[str, ...] = ()


def read_entry(stage: Stage, name: str, content: object) -> Entry:
    """Read one entry.

    Args:
        stage: the stage whose parameters are varied.
        name: the entry's key, a slash name.
        content: a table with `low` and `high`, a table with `choices`, or a bare scalar that fixes the parameter.
    """
    if problem := _unknown(stage, name):
        return Entry(mistakes=(problem,))
    rule = allowed(stage, name)
    if isinstance(content, (bool, int, float, str)):
        return _fixed(stage, name, content)
    if not isinstance(content, Mapping):
        return _bad(f"{name}: must be a value, or a table with low and high, or a table with choices")
    if "choices" in content and ("low" in content or "high" in content):
        return _bad(f"{name}: has both choices and bounds; keep one of them")
    if "choices" in content:
        return _categorical(stage, name, content)
    if "low" not in content and "high" not in content:
        return _bad(f"{name}: has neither bounds nor choices; give low and high, or choices, or a bare value")
    if "choices" in rule:
        return _bad(f"{name}: has no range; write {{ choices = [...] }} with some of {_listed(rule['choices'])}")
    return _range(stage, name, content, rule["type"])


def _unknown(stage: Stage, name: str) -> str | None:
    try:
        allowed(stage, name)
    except KeyError:
        for other in STAGES:
            if other != stage and name.startswith(f"{other}/"):
                return f"{name} belongs to the {other} stage; this space is for the {stage} stage. Remove it"
        return check(stage, name, 0)[0]
    return None


def _fixed(stage: Stage, name: str, value: Scalar) -> Entry:
    mistakes = check(stage, name, value)
    return _bad(*mistakes) if mistakes else Entry(fixed=_like(stage, name, value))


def _categorical(stage: Stage, name: str, content: Mapping[str, Any]) -> Entry:
    mistakes = _keys(name, content, _CHOICE)
    if content.get("type", "categorical") != "categorical":
        mistakes.append(f"{name}: type = {content['type']!r} does not go with choices; leave type out")
    choices = content["choices"]
    if not isinstance(choices, list) or not choices:
        mistakes.append(f"{name}: choices must be a list of at least one value")
        choices = []
    for position, value in enumerate(choices):
        mistakes += check(stage, name, value)
        if any(_same(value, earlier) for earlier in choices[:position]):
            mistakes.append(f"{name}: choices has {value!r} twice; keep one")
    when, problems = _when(name, content)
    if mistakes or problems:
        return _bad(*mistakes, *problems)
    return Entry(Categorical(name, tuple(_like(stage, name, value) for value in choices), when))


def _range(stage: Stage, name: str, content: Mapping[str, Any], kind: Literal["int", "float"]) -> Entry:
    mistakes = _keys(name, content, _RANGE)
    if content.get("type", kind) != kind:
        mistakes.append(f"{name}: type = {content['type']!r}: this parameter is of type {kind!r}; leave type out")
    log, step = content.get("log", False), content.get("step")
    if not isinstance(log, bool):
        mistakes.append(f"{name}: log = {log!r}: must be true or false")
        log = False
    for bound in ("low", "high"):
        if bound not in content:
            mistakes.append(f"{name}: {bound} is missing; a range needs low and high, both included")
        else:
            mistakes += [f"{bound} of {text}" for text in check(stage, name, content[bound])]
    when, problems = _when(name, content)
    mistakes += problems
    if not (_is_number(content.get("low")) and _is_number(content.get("high"))):
        return _bad(*mistakes)
    low, high = content["low"], content["high"]
    if low > high:
        mistakes.append(f"{name}: low = {low!r} is above high = {high!r}; exchange them")
    if log and low <= 0:
        mistakes.append(f"{name}: low = {low!r}: a log range must start above 0")
    mistakes += _step(name, step, low, high, kind, log=log)
    if mistakes:
        return _bad(*mistakes)
    if kind == "int":
        return Entry(Int(name, low, high, log, 1 if step is None else step, when))
    return Entry(Float(name, float(low), float(high), log, None if step is None else float(step), when))


def _step(name: str, step: object, low: float, high: float, kind: str, *, log: bool) -> list[str]:
    if step is None:
        return []
    wanted = "a whole number above 0" if kind == "int" else "a number above 0"
    if not _is_number(step) or not step > 0 or (kind == "int" and not isinstance(step, int)):
        return [f"{name}: step = {step!r}: must be {wanted}"]
    if log and not (kind == "int" and step == 1):
        return [f"{name}: step and log = true exclude each other; remove one of them"]
    steps = (high - low) / step
    if low <= high and abs(steps - round(steps)) > 1e-6:
        return [f"{name}: step = {step!r} does not lead from low = {low!r} to high = {high!r}; change one of them"]
    return []


def _when(name: str, content: Mapping[str, Any]) -> tuple[When, list[str]]:
    given = content.get("when", {})
    if not isinstance(given, Mapping):
        return {}, [f"{name}: when must be a table of parameter names and the values they must have"]
    when: dict[str, tuple[Scalar, ...]] = {}
    mistakes = []
    for other, value in given.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(item, (bool, int, float, str)) for item in values):
            mistakes.append(f"{name}: when {other}: must be a value or a list of values")
        else:
            when[other] = tuple(values)
    return when, mistakes


def _keys(name: str, content: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    mistakes = []
    for key in content:
        if key not in known:
            close = get_close_matches(key, known, n=1, cutoff=0.6)
            hint = f"did you mean {close[0]!r}?" if close else f"known here are: {', '.join(known)}"
            mistakes.append(f"{name}: unknown key {key!r}; {hint}")
    return mistakes


def _like(stage: Stage, name: str, value: Scalar) -> Scalar:
    """The value in the parameter's own type: a whole number given for a real one becomes real."""
    return float(value) if allowed(stage, name).get("type") == "float" else value


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _listed(values: Sequence[Scalar]) -> str:
    return ", ".join(map(repr, values))


def _bad(*mistakes: str) -> Entry:
    return Entry(mistakes=mistakes)
