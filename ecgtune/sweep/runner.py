"""Running a planned sweep: Ray executes, the record keeps the truth."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from ecgtune.errors import EcgtuneError, InputError
from ecgtune.files import storage_errors
from ecgtune.sweep.engine import ray_session
from ecgtune.sweep.events import SweepObserver
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.plan import SweepPlan, definition
from ecgtune.sweep.resuming import require_same
from ecgtune.sweep.trial import Trial


@dataclass(frozen=True)
class SweepOutcome:
    """How a sweep ended.

    Args:
        folder: where it was written.
        trials: in the order in which they were handed out.
        winner: the id of the trial with the best epoch, or None where no epoch was finished.
        interrupted: whether a signal ended it early.
    """

    folder: SweepFolder
    trials: tuple[Trial, ...]
    winner: str | None
    interrupted: bool


def run_sweep(
    plan: SweepPlan, observer: SweepObserver, *, overwrite: bool = False, resume: bool = False
) -> SweepOutcome:
    """Run a sweep to its end, or until a signal.

    Args:
        plan: what to run.
        observer: is told what happens.
        overwrite: whether an earlier sweep of the same name may be removed first.
        resume: whether to go on with the sweep that the folder holds; more trials than before extend it.

    Raises:
        InputError: the folder exists already; what is to be resumed was defined otherwise; or the resources do not
            suffice for one trial.
        StorageError: the disk refused a write; what was finished is on disk.
        EcgtuneError: no trial finished an epoch.
    """
    folder = plan.folder
    if resume:
        require_same(folder, plan)
        folder.write({**definition(plan), "created": folder.read()["created"]})
    else:
        _begin(folder, plan, overwrite=overwrite)
    for note in plan.notes:
        observer.note(note)
    with ray_session(plan.resources.address, os.cpu_count() or 1) as resources:
        from ecgtune.sweep.drive import drive  # imports Ray, whose settings are read at that moment

        concurrency = _concurrency(plan, resources)
        interrupted, record = drive(plan, observer, concurrency)
    observer.sweep_finished(interrupted=interrupted)
    trials = tuple(record.trials.values())
    if record.winner is None and not interrupted:
        reasons = ", ".join(sorted({trial.reason for trial in trials})) or "no trial was started"
        raise EcgtuneError(f"no trial of {folder.name} finished an epoch ({reasons}); see {folder.trials_table}.")
    return SweepOutcome(folder, trials, record.winner.trial_id if record.winner else None, interrupted)


def _begin(folder: SweepFolder, plan: SweepPlan, *, overwrite: bool) -> None:
    content = definition(plan)
    if folder.path.exists() and any(folder.path.iterdir()):
        if not overwrite:
            raise InputError(f"{folder.path} exists already. Choose another --name, or pass --overwrite to replace it.")
        if not folder.definition.is_file():
            raise InputError(f"{folder.path} is not a sweep, so --overwrite leaves it alone. Choose another --name.")
        with storage_errors(folder.path):
            shutil.rmtree(folder.path)
    with storage_errors(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.write(content)


def _concurrency(plan: SweepPlan, resources: Mapping[str, float]) -> int:
    """How many trials run at once."""
    wanted = plan.resources
    fits = int(resources.get("CPU", 0) // wanted.cpus_per_trial)
    if wanted.gpus_per_trial:
        fits = min(fits, int(resources.get("GPU", 0) / wanted.gpus_per_trial + 1e-9))
    if fits < 1:
        raise InputError(
            f"a trial needs {wanted.cpus_per_trial} CPUs and {wanted.gpus_per_trial:g} GPUs, but there are "
            f"{resources.get('CPU', 0):g} and {resources.get('GPU', 0):g}. Lower --cpus-per-trial or --gpus-per-trial."
        )
    return min(fits, plan.space.settings.num_samples, wanted.max_concurrent or fits)
