"""How a sweep is run: the `[sweep]` table of a search-space file."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias

from ecgtune.config import STAGES, Stage, choice, number, problem_with
from ecgtune.errors import ConfigError

Mode: TypeAlias = Literal["min", "max"]

METRICS: Mapping[Stage, Mapping[str, Mode]] = {
    "pretext": {
        "val_loss": "min",
        "val_accuracy": "max",
        "val_one_vs_rest_accuracy": "max",
        "val_macro_f1": "max",
        "train_loss": "min",
        "train_accuracy": "max",
    },
    "emotion": {
        "val_balanced_accuracy": "max",
        "val_macro_f1": "max",
        "val_auc": "max",
        "val_accuracy": "max",
        "val_loss": "min",
    },
}
"""The metrics a sweep may pursue and their direction; the first of a stage is its default."""

_ONLY: Mapping[str, Stage] = {"val_fraction": "pretext", "hold_out": "pretext", "folds": "emotion"}


@dataclass(frozen=True)
class SweepSettings:
    """How a sweep is run.

    Args:
        stage: the stage whose parameters are varied.
        metric: what is pursued, one of `METRICS[stage]`.
        mode: its direction.
        num_samples: trials.
        max_epochs: the most a trial may run.
        searcher: `tpe` (Bergstra et al. 2011), as in Optuna; `gp`, a Gaussian process that learns from stopped trials,
            too; `cmaes` (Hansen 2016) for numbers that are always in play, others at random; `random`; `grid`,
            every point once.
        scheduler: `asha_promote` (Li et al. 2020) pauses all trials at a rung and goes on with the best; `asha` (Ray
            Tune's form of it) stops those that lag behind; `pasha` (Bohdal et al. 2023) adds rungs only while they
            change the ranking; `hyperband` (Li et al. 2018) runs brackets of `asha`; `median` (Golovin et al. 2017)
            stops what is below the median; `none` lets all run to the end.
        grace_period: epochs before a trial may be stopped or paused; a file that leaves it out means a fifth of
            `max_epochs`, which found the best of the recorded curves soonest (results/curves).
        reduction_factor: one trial in so many is kept at each rung; `median` and `none` have no rungs. A file that
            leaves it out means 4, for the same reason.
        seed: of everything that is drawn.
        val_fraction: pretext stage: the share of people that validate.
        hold_out: pretext stage: the share of people left out altogether, for the emotion stage.
        folds: emotion stage: folds by person.
    """

    stage: Stage
    metric: str
    mode: Mode
    num_samples: int = number(20, 1, 1_000_000)
    max_epochs: int = number(100, 1, 1_000_000)
    searcher: Literal["tpe", "gp", "cmaes", "random", "grid"] = choice("tpe", "tpe", "gp", "cmaes", "random", "grid")
    scheduler: Literal["asha", "asha_promote", "pasha", "hyperband", "median", "none"] = choice(
        "asha_promote", "asha", "asha_promote", "pasha", "hyperband", "median", "none"
    )
    grace_period: int = number(1, 1, 1_000_000)
    reduction_factor: int = number(2, 2, 1_000)
    seed: int = number(0, 0, 2**32 - 1)
    val_fraction: float = number(0.2, 0.01, 0.99)
    hold_out: float = number(0.4, 0.0, 0.95)
    folds: int = number(5, 2, 10_000)


def read_settings(
    given: Mapping[str, Any], stage: Stage | None, guess: Stage | None = None
) -> tuple[SweepSettings | None, list[tuple[str, str]]]:
    """The settings of a `[sweep]` table.

    Args:
        given: the table.
        stage: the stage that is wanted; None takes the table's own.
        guess: what the stage must have been meant to be where the table's is missing or wrong, so that the other
            settings can be checked all the same.

    Returns:
        The settings, or None where the stage cannot even be guessed; and each mistake with its key.
    """
    mistakes: list[tuple[str, str]] = []
    found = given.get("stage")
    if "stage" not in given:
        mistakes.append(("stage", f"stage is missing; write stage = {' or stage = '.join(map(_quote, STAGES))}"))
    elif found not in STAGES:
        mistakes.append(("stage", f"stage = {found!r}: must be one of {', '.join(map(repr, STAGES))}"))
    elif stage is not None and found != stage:
        mistakes.append(("stage", f"this space is for the {found} stage, but the {stage} stage was asked for"))
    if found not in STAGES:
        found = guess
    if found is None:
        return None, mistakes

    rules = {rule.name: rule for rule in fields(SweepSettings)}
    known = [name for name in rules if _ONLY.get(name, found) == found]
    metrics = METRICS[found]
    first = next(iter(metrics))
    good: dict[str, Any] = {}
    for key, value in given.items():
        if key not in rules:
            close = get_close_matches(key, known, n=1, cutoff=0.6)
            hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
            mistakes.append((key, f"unknown setting {key!r}; {hint}"))
        elif _ONLY.get(key, found) != found:
            mistakes.append((key, f"{key} belongs to the {_ONLY[key]} stage; this is the {found} stage. Remove it"))
        elif key == "metric" and (not isinstance(value, str) or value not in metrics):
            mistakes.append((key, f"metric = {value!r}: must be one of {', '.join(map(repr, metrics))}"))
        elif key == "mode" and value not in ("min", "max"):
            mistakes.append((key, f"mode = {value!r}: must be one of 'min', 'max'"))
        elif rules[key].metadata and (problem := problem_with(rules[key], _default(rules[key]), value)):
            mistakes.append((key, f"{key} = {value!r}: {problem}"))
        else:
            good[key] = float(value) if isinstance(_default(rules[key]), float) else value

    metric = good.get("metric", first)
    mode = good.get("mode", metrics[metric])
    if ("metric" in good or "metric" not in given) and mode != metrics[metric]:
        mistakes.append(
            ("mode", f"mode = {mode!r}: {metric} is better when {_better(metrics[metric])}; leave mode out")
        )
    settings = SweepSettings(**{**good, "stage": found, "metric": metric, "mode": metrics[metric]})
    if "grace_period" not in given:
        settings = replace(settings, grace_period=max(1, settings.max_epochs // 5))
    if "reduction_factor" not in given:
        settings = replace(settings, reduction_factor=4)
    wrong = {key for key, _ in mistakes}
    if settings.grace_period > settings.max_epochs and not wrong & {"grace_period", "max_epochs"}:
        key = "grace_period" if "grace_period" in given else "max_epochs"
        mistakes.append(
            (key, f"grace_period = {settings.grace_period} is above max_epochs = {settings.max_epochs}; lower it")
        )
    return settings, mistakes


def settings_table(settings: SweepSettings) -> dict[str, Any]:
    """The `[sweep]` table of settings, with every key of the stage explicit."""
    return {
        rule.name: getattr(settings, rule.name)
        for rule in fields(settings)
        if _ONLY.get(rule.name, settings.stage) == settings.stage
    }


def override(settings: SweepSettings, **given: int | float | str | None) -> SweepSettings:
    """Settings with some replaced, e.g. from the command line; None leaves a setting as it is.

    With another `max_epochs` the grace period keeps its share of it, so that `--max-epochs` alone is enough.

    Raises:
        ConfigError: a value is out of range.
    """
    wanted = {key: value for key, value in given.items() if value is not None}
    if "max_epochs" in wanted and "grace_period" not in wanted and isinstance(wanted["max_epochs"], int):
        share = settings.grace_period / settings.max_epochs
        wanted["grace_period"] = max(1, round(share * wanted["max_epochs"]))
    table = {**settings_table(settings), **wanted}
    if "metric" in wanted and "mode" not in wanted:
        del table["mode"]
    replaced, mistakes = read_settings(table, settings.stage)
    if mistakes or replaced is None:
        raise ConfigError("sweep settings", [message for _, message in mistakes])
    return replaced


def _default(rule: Any) -> Any:
    return rule.default


def _quote(text: str) -> str:
    return f'"{text}"'


def _better(mode: Mode) -> str:
    return "lower" if mode == "min" else "higher"
