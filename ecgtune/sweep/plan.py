"""Everything that defines a sweep, resolved before anything is written or started."""

import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ecgtune
from ecgtune.data.store import load_dataset
from ecgtune.space import SearchSpace, as_toml
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.job import Job


@dataclass(frozen=True)
class Resources:
    """What a sweep may use.

    Args:
        address: of a running Ray cluster; None starts a local one.
        cpus_per_trial: whole CPUs, also the number of PyTorch threads.
        gpus_per_trial: may be a fraction.
        max_concurrent: trials at once; None means as many as fit.
    """

    address: str | None = None
    cpus_per_trial: int = 1
    gpus_per_trial: float = 0.0
    max_concurrent: int | None = None


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
    """

    folder: SweepFolder
    space: SearchSpace
    job: Job
    resources: Resources
    notes: tuple[str, ...] = ()
    lineage: dict[str, Any] | None = None


def definition(plan: SweepPlan) -> dict[str, Any]:
    """The content of `sweep.toml`."""
    datasets = [load_dataset(Path(folder)) for folder in plan.job.folders]
    content: dict[str, Any] = {
        "name": plan.folder.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **as_toml(plan.space),
        "job": _plain(plan.job),
        "data": [
            {"name": d.name, "folder": str(d.folder), "fingerprint": d.fingerprint, "n_windows": len(d.windows)}
            for d in datasets
        ],
        "resources": {key: value for key, value in asdict(plan.resources).items() if value is not None},
        "versions": {
            "ecgtune": ecgtune.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("ray", "optuna", "torch", "numpy")},
        },
    }
    if plan.lineage is not None:
        content["pretext"] = plan.lineage
    commit = _commit()
    if commit:
        content["versions"]["commit"] = commit
    return content


def _plain(job: Any) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(job).items()}


def _commit() -> str:
    root = Path(ecgtune.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    asked = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip()
