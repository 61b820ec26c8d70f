"""The configuration file of a single run: a `[run]` table, and `[parameters]` under their slash names.

    [run]
    data = ["data/dreamer"]
    epochs = 30

    [parameters]
    "pretext/adam/lr" = 0.002

Paths are relative to the folder in which the command is given, as on the command line.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from ecgtune.config import (
    STAGE_CONFIGS,
    EmotionConfig,
    PretextConfig,
    Scalar,
    Stage,
    check,
    choice,
    configure,
    number,
    problem_with,
)
from ecgtune.errors import ConfigError, InputError


@dataclass(frozen=True)
class PretextRun:
    """The `[run]` table of the pretext stage.

    Args:
        data: data-set folders.
        epochs: of the run.
        seed: of everything that is drawn.
        val_fraction: the share of people that validate.
        hold_out: the share of a labelled data set's people that is left to the emotion stage.
    """

    data: tuple[str, ...] = ()
    epochs: int = number(100, 1, 1_000_000)
    seed: int = number(0, 0, 2**32 - 1)
    val_fraction: float = number(0.2, 0.01, 0.99)
    hold_out: float = number(0.4, 0.0, 0.95)


@dataclass(frozen=True)
class EmotionRun:
    """The `[run]` table of the emotion stage.

    Args:
        data: a labelled data-set folder.
        pretext: a pretext model's folder.
        epochs: of the run.
        seed: of everything that is drawn.
        target: a target of the data set; empty for its first.
        threshold: a score above it is the positive class; None for the target's own.
        folds: by person; 0 for 5, or fewer where there are fewer people to validate on.
        transductive: whether people whom the encoder has seen may be validated on.
    """

    data: str = ""
    pretext: str = ""
    epochs: int = number(200, 1, 1_000_000)
    seed: int = number(0, 0, 2**32 - 1)
    target: str = ""
    threshold: float | None = None
    folds: int = number(0, 0, 10_000)
    transductive: bool = choice(False, False, True)


Run = TypeVar("Run", PretextRun, EmotionRun)
Config = TypeVar("Config", PretextConfig, EmotionConfig)


@dataclass(frozen=True)
class RunFile(Generic[Run, Config]):
    """What a file says, or the defaults."""

    run: Run
    config: Config


def read_pretext_run(path: Path | None, **given: Any) -> RunFile[PretextRun, PretextConfig]:
    """Read a pretext run.

    Args:
        path: the TOML file; None for the published method.
        given: settings that replace the file's, as from the command line; None leaves one as it is.

    Raises:
        InputError: the file cannot be read.
        ConfigError: every mistake in it.
    """
    run, parameters, where = _read(path, "pretext", PretextRun, given)
    return RunFile(PretextRun(**run), configure(PretextConfig, parameters, where=where))


def read_emotion_run(path: Path | None, **given: Any) -> RunFile[EmotionRun, EmotionConfig]:
    """Read an emotion run; see `read_pretext_run`."""
    run, parameters, where = _read(path, "emotion", EmotionRun, given)
    return RunFile(EmotionRun(**run), configure(EmotionConfig, parameters, where=where))


def _read(
    path: Path | None, stage: Stage, kind: type[PretextRun] | type[EmotionRun], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], str]:
    where = str(path) if path else "command line"
    content = _content(path) if path else {}
    mistakes = [
        f"unknown table or key {key!r}; there are [run] and [parameters]"
        for key in content
        if key not in ("run", "parameters")
    ]
    tables = {}
    for name in ("run", "parameters"):
        table = content.get(name, {})
        if not isinstance(table, dict):
            mistakes.append(f"{name} must be a table; write [{name}]")
        tables[name] = table if isinstance(table, dict) else {}
    run = tables["run"] | {key: value for key, value in given.items() if value is not None}
    rules = {rule.name: rule for rule in fields(kind)}
    for key, value in run.items():
        mistakes += _mistakes(rules, key, value)
    for name, value in tables["parameters"].items():
        other = next((s for s in STAGE_CONFIGS if s != stage and name.startswith(f"{s}/")), None)
        if other:
            mistakes.append(f"{name} belongs to the {other} stage; this is a run of the {stage} stage")
        else:
            mistakes += check(stage, name, value)
    if mistakes:
        raise ConfigError(where, mistakes)
    if isinstance(run.get("data"), list):
        run["data"] = tuple(run["data"])
    return run, tables["parameters"], where


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [f"this is not TOML: {error}"]) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"the configuration {path} cannot be read: {reason}.") from error


def _mistakes(rules: Mapping[str, Field[Any]], key: str, value: object) -> list[str]:
    if key not in rules:
        close = get_close_matches(key, rules, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(rules)}"
        return [f"unknown setting {key!r} in [run]; {hint}"]
    rule = rules[key]
    if rule.metadata:
        problem = problem_with(rule, cast(Scalar, rule.default), value)
    elif isinstance(rule.default, tuple):
        good = isinstance(value, list | tuple) and bool(value) and all(isinstance(part, str) for part in value)
        problem = None if good else 'must be a list of folders, as in ["data/dreamer"]'
    elif isinstance(rule.default, str):
        problem = None if isinstance(value, str) else "must be a text"
    else:
        problem = None if isinstance(value, int | float) and not isinstance(value, bool) else "must be a number"
    return [f"{key} = {value!r}: {problem}"] if problem else []
