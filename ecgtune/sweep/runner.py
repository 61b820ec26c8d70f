"""Running a planned sweep: Ray executes, the record keeps the truth."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ecgtune.errors import EcgtuneError, InputError
from ecgtune.files import storage_errors
from ecgtune.sweep.engine import RaySession
from ecgtune.sweep.events import SweepObserver
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.lock import driving
from ecgtune.sweep.nodes import Node, nodes, places, spare_cpus
from ecgtune.sweep.plan import Resources, SweepPlan, definition
from ecgtune.sweep.resuming import require_same
from ecgtune.sweep.storage import Storage, storage_of
from ecgtune.sweep.trial import Trial
from ecgtune.sweep.visible import require_visible, slow_nodes, what_slows


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
    plan: SweepPlan,
    observer: SweepObserver,
    *,
    overwrite: bool = False,
    resume: bool = False,
    session: RaySession | None = None,
) -> SweepOutcome:
    """Run a sweep to its end, or until a signal.

    Args:
        plan: what to run.
        observer: is told what happens.
        overwrite: whether an earlier sweep of the same name may be removed first.
        resume: whether to go on with the sweep that the folder holds; more trials than before extend it.
        session: a Ray cluster that may still be starting; None starts one. It is over afterwards.

    Raises:
        InputError: the folder exists already, or another process runs this sweep; what is to be resumed was defined
            otherwise; or the resources do not suffice for one trial.
        StorageError: the disk refused a write; what was finished is on disk.
        EcgtuneError: no trial finished an epoch.
    """
    folder = plan.folder
    storage = storage_of(folder)
    with driving(folder.lock), storage.driving(observer.note):
        if resume:
            require_same(folder, plan)
        else:
            _require_free(folder, overwrite=overwrite)
            storage.require_free()
        return _run(plan, observer, session, storage, resume=resume)


def _run(
    plan: SweepPlan, observer: SweepObserver, session: RaySession | None, storage: Storage, *, resume: bool
) -> SweepOutcome:
    folder = plan.folder
    for note in plan.notes:
        observer.note(note)
    cluster = session or RaySession(plan.resources.address, workers=plan.resources.max_concurrent)
    # Imports Ray's parts, whose settings the session has made; meanwhile the cluster comes up.
    from ecgtune.sweep.drive import drive

    with cluster:
        machines = nodes()
        plan, concurrency = _fit(plan, machines)
        if plan.resources.address is not None:
            gpus = sum(node.gpus for node in machines)
            if gpus and not plan.resources.gpus_per_trial:
                observer.note(f"the cluster has {gpus} GPUs, and no trial uses one: --gpus-per-trial 1 changes that.")
            require_visible(folder.path.parent, plan.reads)
        _warn_of_slow(plan, machines, observer)
        # Nothing on disk was touched up to here: the sweep can run.
        content = definition(plan)
        if resume:
            before = folder.read()
            content |= {"created": before["created"], "command": before.get("command", "")}
            content["resumed"] = [*before.get("resumed", []), plan.command]
            _warn_of_rounding(plan, before, content, observer)
        else:
            _clear(folder)
            storage.clear()
        folder.write({**content, "state": "running"})
        interrupted, record = drive(plan, observer, concurrency, storage)
    folder.write({**content, "state": "interrupted" if interrupted else "finished"})
    observer.sweep_finished(interrupted=interrupted)
    trials = tuple(record.trials.values())
    if record.winner is None and not interrupted:
        reasons = ", ".join(sorted({trial.reason for trial in trials})) or "no trial was started"
        raise EcgtuneError(f"no trial of {folder.name} finished an epoch ({reasons}); see {folder.trials_table}.")
    return SweepOutcome(folder, trials, record.winner.trial_id if record.winner else None, interrupted)


def _require_free(folder: SweepFolder, *, overwrite: bool) -> None:
    if not folder.path.exists() or not any(folder.path.iterdir()):
        return
    if not overwrite:
        raise InputError(f"{folder.path} exists already. Choose another --name, or pass --overwrite to replace it.")
    if not folder.definition.is_file():
        raise InputError(f"{folder.path} is not a sweep, so --overwrite leaves it alone. Choose another --name.")


def _clear(folder: SweepFolder) -> None:
    with storage_errors(folder.path):
        if folder.path.exists():
            shutil.rmtree(folder.path)
        folder.path.mkdir(parents=True)


def _warn_of_slow(plan: SweepPlan, machines: Sequence[Node], observer: SweepObserver) -> None:
    from ecgtune.models.fused import FUSED, notice

    path = getattr(plan.job, "convolution", "")
    device = plan.resources.device
    slow = []
    if path and plan.resources.address is None:
        slow = [f"this machine {each}" for each in what_slows(path, device)]
    elif path and device == "cpu":  # of a GPU nothing is seen by who has not been given it
        slow = slow_nodes(path, machines)
    for each in slow:
        observer.note(f"{each}.")
    if path in FUSED and not slow:
        observer.note(notice(path, device))


def _warn_of_rounding(
    plan: SweepPlan, before: Mapping[str, Any], now: Mapping[str, Any], observer: SweepObserver
) -> None:
    from ecgtune.models.convolution import TILED

    was, is_now = (each.get("machine", {}).get("compiled") for each in (before, now))
    if getattr(plan.job, "convolution", "") in TILED and was is not None and was != is_now:
        how = {True: "with compiled layers", False: "without compiled layers"}
        observer.note(f"the trials so far ran {how[was]}, and those to come {how[is_now]}: they differ by rounding.")


def _fit(plan: SweepPlan, machines: Sequence[Node]) -> tuple[SweepPlan, int]:
    """The plan with its CPUs per trial settled, and how many trials run at once.

    One thread gives more than half of what two give, so trials side by side come first and threads second: CPUs that
    no further trial can use go to those that run.
    """
    wanted = plan.resources
    fits = places(machines, wanted, wanted.cpus_per_trial or 1)
    if fits < 1:
        raise InputError(_what_is_missing(wanted, machines))
    concurrency = min(fits, plan.space.settings.num_samples, wanted.max_concurrent or fits)
    settled = replace(wanted, cpus_per_trial=wanted.cpus_per_trial or spare_cpus(machines, wanted, concurrency))
    return replace(plan, resources=settled), concurrency


def _what_is_missing(wanted: Resources, machines: Sequence[Node]) -> str:
    labels = ", ".join(f"{key}={value}" for key, value in wanted.labels.items())
    suited = [node for node in machines if node.suits(wanted)]
    if not suited:
        known = sorted({f"{key}={value}" for node in machines for key, value in node.labels.items()})
        return (
            f"no node has the label {labels}; the nodes have {', '.join(known) or 'none'}. Start one with "
            f"`ray start --labels {labels.replace(', ', ',')}`, or look at --label."
        )
    more = "".join(f" and {amount:g} of {name}" for name, amount in wanted.custom.items())
    there = "; ".join(f"{node.cpus} and {node.gpus}" for node in suited)
    where = f" on the nodes{f' with {labels}' if labels else ''}" if labels or len(suited) > 1 else ""
    return (
        f"a trial needs {wanted.cpus_per_trial or 1} CPUs and {wanted.gpus_per_trial:g} GPUs{more}, but there are "
        f"{there}{where}. Lower --cpus-per-trial or --gpus-per-trial"
        f"{', or look at --resource' if more else ''}."
    )
