"""How a sweep stands, read from its files alone: it may be running, interrupted or finished."""

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecgtune.files import folder_size
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.lock import Owner
from ecgtune.sweep.pauses import paused_at
from ecgtune.sweep.resuming import read_epochs
from ecgtune.sweep.storage import driver
from ecgtune.sweep.trial import better


@dataclass(frozen=True)
class RunningTrial:
    """A trial that has not ended.

    Args:
        trial_id: five digits.
        epoch: epochs known.
        score: the metric at that epoch; None before the first.
        waits: whether it waits at a rung for its scheduler.
    """

    trial_id: str
    epoch: int
    score: float | None
    waits: bool = False


@dataclass(frozen=True)
class BestEpoch:
    """The best epoch of the sweep so far."""

    trial_id: str
    epoch: int
    score: float


@dataclass(frozen=True)
class SweepOverview:
    """A sweep as it stands.

    Args:
        name: of the sweep.
        stage: `pretext` or `emotion`.
        state: `running`, `interrupted` or `finished`.
        owner: who drives it now; None where nobody does.
        created: ISO 8601.
        address: of the Ray cluster that it ran on; None for one of its own.
        metric: what is pursued.
        num_samples: trials that it is to have.
        max_epochs: of a trial.
        ended: how many trials ended how: `COMPLETE`, `PRUNED (asha)`, `FAILED (nan)` ...
        running: trials that have not ended; taken up by `--resume` where nobody drives the sweep.
        best: None before the first epoch.
        size: bytes on disk.
    """

    name: str
    stage: str
    state: str
    owner: Owner | None
    created: str
    address: str | None
    metric: str
    num_samples: int
    max_epochs: int
    ended: Mapping[str, int]
    running: tuple[RunningTrial, ...]
    best: BestEpoch | None
    size: int

    @property
    def n_ended(self) -> int:
        """Trials that have ended."""
        return sum(self.ended.values())


def overview(folder: SweepFolder) -> SweepOverview:
    """Read how a sweep stands.

    Raises:
        InputError: the folder is no sweep.
    """
    content = folder.read()
    settings, job = content["sweep"], content["job"]
    driving = driver(folder)
    rows, pauses = _trials(folder), paused_at(folder.study)
    epochs: dict[str, list[dict[str, str]]] = {}
    for row in read_epochs(folder.epochs_table):
        epochs.setdefault(row["trial_id"], []).append(row)
    state = str(content.get("state", "interrupted"))
    if state == "running" and driving is None:
        state = "interrupted"  # its driver died
    elif driving is not None:
        state = "running"
    return SweepOverview(
        name=folder.name,
        stage=settings["stage"],
        state=state,
        owner=driving,
        created=str(content["created"]),
        address=content.get("resources", {}).get("address"),
        metric=settings["metric"],
        num_samples=settings["num_samples"],
        max_epochs=job["max_epochs"],
        ended=dict(Counter(_how(row) for row in rows if row["state"] != "RUNNING")),
        running=tuple(
            _running(row["trial_id"], epochs.get(row["trial_id"], []), settings["metric"], pauses)
            for row in rows
            if row["state"] == "RUNNING"
        ),
        best=_best(rows, epochs, settings["metric"], settings["mode"]),
        size=folder_size(folder.path),
    )


def _trials(folder: SweepFolder) -> list[dict[str, str]]:
    if not folder.trials_table.is_file():
        return []
    return list(csv.DictReader(folder.trials_table.read_text(encoding="utf-8").splitlines()))


def _how(row: Mapping[str, str]) -> str:
    return f"{row['state']} ({row['reason']})" if row["reason"] else row["state"]


def _running(trial_id: str, rows: list[dict[str, str]], metric: str, pauses: Mapping[str, int]) -> RunningTrial:
    if not rows:
        return RunningTrial(trial_id, 0, None)
    epoch = int(rows[-1]["epoch"])
    return RunningTrial(trial_id, epoch, float(rows[-1][metric]), pauses.get(trial_id) == epoch)


def _best(
    trials: list[dict[str, str]], epochs: Mapping[str, list[dict[str, str]]], metric: str, mode: Any
) -> BestEpoch | None:
    """Of a trial that has ended `trials.csv` has the best epoch; of one that runs, `epochs.csv` has all so far."""
    seen = [(row["trial_id"], row["best_epoch"], row[metric]) for row in trials if row.get(metric)]
    running = [row["trial_id"] for row in trials if row["state"] == "RUNNING"]
    seen += [(trial_id, row["epoch"], row[metric]) for trial_id in running for row in epochs.get(trial_id, [])]
    best: BestEpoch | None = None
    for trial_id, epoch, score in seen:
        if better(float(score), best.score if best else None, mode):
            best = BestEpoch(trial_id, int(epoch), float(score))
    return best
