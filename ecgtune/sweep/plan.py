"""Everything that defines a sweep, resolved before anything is written or started."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from ecgtune.data.store import load_dataset
from ecgtune.space import SearchSpace, as_toml
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.job import Job
from ecgtune.sweep.paths import job_content, portable
from ecgtune.sweep.points import FirstPoint, winners_content
from ecgtune.sweep.provenance import machine, versions


@dataclass(frozen=True)
class Resources:
    """What a sweep may use.

    Args:
        address: of a running Ray cluster; None starts a local one.
        cpus_per_trial: whole CPUs, also the number of PyTorch threads; None shares out the machine.
        gpus_per_trial: may be a fraction.
        max_concurrent: trials at once; None means as many as fit.
        convolution: how convolutions are computed: a path's name or `auto`; None asks the environment.
        keep: how many trials that have ended or wait keep their models; None means what the sweep had before, or the
            default.
        custom: amounts of a cluster's own resources that a trial needs, by name.
        ship_data: whether data go through the cluster's object store instead of a path that all nodes see.
        labels: that a node of the cluster must have to run trials, by key.
    """

    address: str | None = None
    cpus_per_trial: int | None = None
    gpus_per_trial: float = 0.0
    max_concurrent: int | None = None
    convolution: str | None = None
    keep: int | None = None
    custom: Mapping[str, float] = field(default_factory=dict)
    ship_data: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def device(self) -> str:
        """Where trials are trained: `cpu` or `cuda`."""
        return "cuda" if self.gpus_per_trial else "cpu"


@dataclass(frozen=True)
class SweepPlan:
    """A resolved sweep.

    Args:
        folder: where it is written.
        space: what is searched, and how.
        job: what each trial trains on.
        resources: what it may use.
        notes: what the user should know before it starts.
        lineage: for the emotion stage, where the pretext model comes from.
        command: what the user typed.
        winners: of earlier sweeps, tried first.
    """

    folder: SweepFolder
    space: SearchSpace
    job: Job
    resources: Resources
    notes: tuple[str, ...] = ()
    lineage: dict[str, Any] | None = None
    command: str = ""
    winners: tuple[FirstPoint, ...] = ()

    @property
    def reads(self) -> tuple[Path, ...]:
        """The folders that workers read."""
        data = () if self.resources.ship_data else self.job.folders
        model = getattr(self.job, "model", None)
        return tuple(Path(each) for each in (*data, *([model] if model else [])))


def definition(plan: SweepPlan) -> dict[str, Any]:
    """The content of `sweep.toml`."""
    datasets = [load_dataset(Path(folder)) for folder in plan.job.folders]
    content: dict[str, Any] = {
        "name": plan.folder.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": plan.command,
        **as_toml(plan.space),
        "job": job_content(asdict(cast(Any, plan.job)), plan.folder),
        "data": [
            {
                "name": dataset.name,
                "folder": portable(dataset.folder, plan.folder),
                "fingerprint": dataset.fingerprint,
                "n_windows": len(dataset.windows),
            }
            for dataset in datasets
        ],
        "resources": {key: value for key, value in asdict(plan.resources).items() if value not in (None, {})},
        "machine": machine(),
        "versions": versions(),
    }
    if plan.winners:
        content["winners"] = winners_content(plan.winners)
    return content if plan.lineage is None else content | {"pretext": plan.lineage}
