"""Search-space files: TOML -> `SearchSpace`, and back.

question = "Which learning rate suits the published encoder?"

[sweep]
stage = "pretext"
num_samples = 20

[parameters]
"pretext/adam/lr" = { low = 9e-5, high = 2e-2, log = true }
"pretext/batch_size" = { choices = [64, 128] }
"pretext/scheduler/type" = { choices = ["none", "decay"] }
"pretext/scheduler/decay" = { low = 0.9, high = 0.99, when = { "pretext/scheduler/type" = "decay" } }
"pretext/encoder/pool_stride" = 2
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ecgtune.config import STAGES, Scalar, Stage
from ecgtune.errors import ConfigError, InputError
from ecgtune.space.conditions import in_order
from ecgtune.space.entries import read_entry
from ecgtune.space.lines import line_finder
from ecgtune.space.parameters import Categorical, Parameter
from ecgtune.space.settings import SweepSettings, read_settings, settings_table

_TABLES = ("question", "sweep", "parameters")


@dataclass(frozen=True)
class SearchSpace:
    """What a sweep varies and how it is run.

    Args:
        path: the file it was read from.
        question: what the sweep is to find out, in one sentence.
        settings: the `[sweep]` table.
        parameters: what is varied, in an order in which every condition refers to an earlier one or to `fixed`.
        fixed: what is set to a value of its own; all else keeps its default.
    """

    path: Path
    question: str
    settings: SweepSettings
    parameters: tuple[Parameter, ...]
    fixed: Mapping[str, Scalar]


def read_space(path: Path, stage: Stage | None = None) -> SearchSpace:
    """Read a search-space file.

    Args:
        path: the TOML file.
        stage: the stage it is wanted for; None takes the file's own.

    Raises:
        InputError: the file cannot be read.
        ConfigError: every mistake in the file, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"the search space {path} cannot be read: {reason}.") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [f"this is not TOML: {error}"]) from error
    return space_from(content, path, stage, line_of=line_finder(text))


def space_from(
    content: Mapping[str, Any],
    path: Path,
    stage: Stage | None = None,
    line_of: Callable[[str, str], int | None] = lambda _table, _key: None,
) -> SearchSpace:
    """Build a space from the content of a file.

    Args:
        content: `question`, `sweep` and `parameters`.
        path: where it comes from, for messages.
        stage: the stage it is wanted for; None takes the content's own.
        line_of: the line of a key in a table, where that is known.

    Raises:
        ConfigError: every mistake in the content.
    """
    mistakes: list[tuple[int | None, str]] = []
    for key in content:
        if key not in _TABLES:
            close = get_close_matches(key, _TABLES, n=1, cutoff=0.6)
            hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(_TABLES)}"
            mistakes.append((line_of("", key), f"unknown table or key {key!r}; {hint}"))
    tables: dict[str, Mapping[str, Any]] = {}
    for table in ("sweep", "parameters"):
        given = content.get(table, {})
        if not isinstance(given, Mapping):
            mistakes.append((line_of("", table), f"{table} must be a table; write [{table}]"))
        tables[table] = given if isinstance(given, Mapping) else {}
    question = content.get("question", "")
    if not isinstance(question, str):
        mistakes.append((line_of("", "question"), "question must be a text"))

    settings, problems = read_settings(tables["sweep"], stage, _stage_of(tables["parameters"]) or stage)
    mistakes += [(line_of("sweep", key) or line_of("", "sweep"), message) for key, message in problems]
    if settings is None:
        raise _config_error(path, mistakes)

    parameters: dict[str, Parameter] = {}
    fixed: dict[str, Scalar] = {}
    broken: set[str] = set()
    for name, entry_content in tables["parameters"].items():
        entry = read_entry(settings.stage, name, entry_content)
        mistakes += [(line_of("parameters", name), text) for text in entry.mistakes]
        if entry.mistakes:
            broken.add(name)
        elif entry.parameter is not None:
            parameters[name] = entry.parameter
        elif entry.fixed is not None:
            fixed[name] = entry.fixed
    if not parameters and not broken:
        mistakes.append((line_of("", "parameters"), "nothing is varied; give at least one parameter bounds or choices"))
    ordered, conditions = in_order(settings.stage, parameters, fixed, broken)
    mistakes += [(line_of("parameters", name), text) for name, text in conditions]
    if mistakes:
        raise _config_error(path, mistakes)
    return SearchSpace(path, question, settings, ordered, fixed)


def as_toml(space: SearchSpace) -> dict[str, Any]:
    """The content of a file that reads as the same space, with everything explicit."""
    table: dict[str, Any] = dict(space.fixed)
    for parameter in space.parameters:
        if isinstance(parameter, Categorical):
            entry: dict[str, Any] = {"choices": list(parameter.choices)}
        else:
            entry = {
                "type": type(parameter).__name__.lower(),
                "low": parameter.low,
                "high": parameter.high,
                "log": parameter.log,
            }
            if parameter.step is not None and not (parameter.log and parameter.step == 1):
                entry["step"] = parameter.step
        if parameter.when:
            entry["when"] = {name: list(values) for name, values in parameter.when.items()}
        table[parameter.name] = entry
    return {"question": space.question, "sweep": settings_table(space.settings), "parameters": table}


def _stage_of(names: Iterable[str]) -> Stage | None:
    """The one stage that parameters belong to by their names; None where there is none, or more than one."""
    found = {name.partition("/")[0] for name in names}
    stages = [stage for stage in STAGES if stage in found]
    return stages[0] if len(stages) == 1 else None


def _config_error(path: Path, mistakes: list[tuple[int | None, str]]) -> ConfigError:
    ranked = sorted(mistakes, key=lambda mistake: mistake[0] or 0)
    return ConfigError(str(path), [f"line {line}: {text}" if line else text for line, text in ranked])
