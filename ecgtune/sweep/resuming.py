"""Reading back what a sweep had written when it ended early, and whether it is still the same sweep."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ecgtune.errors import InputError
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.keeper import STATE
from ecgtune.sweep.plan import SweepPlan, definition
from ecgtune.sweep.study import StoredTrial
from ecgtune.sweep.trial import Mode, Trial
from ecgtune.training.state import newest_state


def read_epochs(path: Path) -> list[dict[str, str]]:
    """The rows of `epochs.csv` in their order; a torn last line is left out."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))


def kept_rows(folder: SweepFolder, stored: Sequence[StoredTrial]) -> list[dict[str, str]]:
    """The rows of `epochs.csv` that no worker will report again, in the order in which they came.

    Args:
        folder: of the sweep.
        stored: what the study knows of the trials.
    """
    last = {
        # A worker would report the epoch at which the trial was paused, too; but nobody works on it.
        trial.trial_id: max(told_epochs(folder.trial(trial.trial_id)), trial.paused_at)
        if trial.state == "RUNNING"
        else math.inf
        for trial in stored
    }
    return [row for row in read_epochs(folder.epochs_table) if int(row["epoch"]) <= last.get(row["trial_id"], 0)]


def read_seconds(path: Path) -> dict[str, float]:
    """How long each trial in `trials.csv` took."""
    if not path.is_file():
        return {}
    return {row["trial_id"]: float(row["seconds"]) for row in csv.DictReader(path.read_text("utf-8").splitlines())}


def metrics_of(row: Mapping[str, str]) -> dict[str, float]:
    """The metrics in a row of `epochs.csv`."""
    others = ("trial_id", "epoch", "lr", "seconds")
    return {name: float(value) for name, value in row.items() if name not in others}


def told_epochs(trial: Path) -> int:
    """How many epochs a worker that takes up the trial will not report: 0 where it has to begin again."""
    state, _ = newest_state(trial / STATE)
    return 0 if state is None else int(state["training"]["epoch"]) - len(state["untold"])


class KnownEpoch(NamedTuple):
    """An epoch that nobody will train again, and whether it was the best of its trial when it came."""

    trial_id: str
    epoch: int
    score: float
    best_so_far: bool


class ReadBack(NamedTuple):
    """A sweep as it was left.

    Args:
        trials: in the order of their numbers; RUNNING where they have not ended.
        epochs: of all trials, in the order in which they came.
        rows: of `epochs.csv` that stay.
    """

    trials: list[Trial]
    epochs: list[KnownEpoch]
    rows: list[dict[str, str]]


def read_back(folder: SweepFolder, stored: Sequence[StoredTrial], metric: str, mode: Mode) -> ReadBack:
    """Read a sweep back.

    Args:
        folder: of the sweep, with the states of trials that have not ended.
        stored: what the study knows of the trials.
        metric: what is pursued.
        mode: its direction.
    """
    rows, took = kept_rows(folder, stored), read_seconds(folder.trials_table)
    trials = {each.trial_id: Trial(each.trial_id, each.parameters, metric, mode) for each in stored}
    seconds, epochs = dict.fromkeys(trials, 0.0), []
    for row in rows:
        trial_id, epoch, metrics = row["trial_id"], int(row["epoch"]), metrics_of(row)
        best_so_far = trials[trial_id].add_epoch(epoch, metrics, 0.0, float(row["seconds"]))
        epochs.append(KnownEpoch(trial_id, epoch, metrics[metric], best_so_far))
        seconds[trial_id] += float(row["seconds"])
    for each in stored:
        trial, in_epochs = trials[each.trial_id], seconds[each.trial_id]
        trial.state, trial.reason = each.state, each.reason
        trial.seconds = in_epochs if each.state == "RUNNING" else took.get(each.trial_id, in_epochs)
    return ReadBack(list(trials.values()), epochs, rows)


def require_same(folder: SweepFolder, plan: SweepPlan) -> None:
    """Refuse to go on with a sweep whose space, settings or data are no longer what they were.

    Only the number of trials may change, upwards.

    Raises:
        InputError: with every difference.
    """
    refuse(folder, _identity(folder.read()), _identity(definition(plan)))


def refuse(
    folder: SweepFolder, before: Mapping[str, Any], now: Mapping[str, Any], advice: str = "Choose another --name."
) -> None:
    """Refuse to go on if two descriptions of the sweep differ.

    Args:
        folder: the sweep.
        before: what it was begun with, by name.
        now: what it would go on with.
        advice: what to do about it.

    Raises:
        InputError: with every difference.
    """
    differences = [
        f"{name}: {before.get(name, 'nothing')} then, {now.get(name, 'nothing')} now"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    if differences:
        listed = "\n".join(f"  - {difference}" for difference in differences)
        raise InputError(f"{folder.name} cannot be resumed, because it has changed. {advice}\n{listed}")


def _identity(content: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a sweep the same, flat: settings but for the number of trials, space, job, data."""
    flat: dict[str, Any] = {}
    for table in ("sweep", "parameters", "job"):
        for key, value in content.get(table, {}).items():
            flat[f"{table}: {key}"] = value
    flat.pop("sweep: num_samples", None)
    if "pretext" in content:
        # The same encoder may lie elsewhere by now; see `ecgtune.sweep.standing`.
        flat["job: model"] = content["pretext"]["encoder_sha256"]
    for number, data in enumerate(content.get("data", [])):
        flat[f"data {number}: fingerprint"] = data["fingerprint"]
    return flat
