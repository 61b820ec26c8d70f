"""One Ray `Tuner` run of a planned sweep."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from ray import get_runtime_context, tune

from ecgtune.sweep.callback import RecordCallback
from ecgtune.sweep.dispatch import WORKER_DEATHS
from ecgtune.sweep.engine import use_waiting_workers
from ecgtune.sweep.events import SweepObserver
from ecgtune.sweep.headwatch import watching_head
from ecgtune.sweep.interrupt import Interrupt, on_signal
from ecgtune.sweep.nodes import Capacity
from ecgtune.sweep.opening import open_sweep
from ecgtune.sweep.plan import SweepPlan
from ecgtune.sweep.record import SweepRecord
from ecgtune.sweep.scheduler import ScheduledTrials
from ecgtune.sweep.searcher import StudySearcher
from ecgtune.sweep.shipping import fetched, shipped
from ecgtune.sweep.storage import Storage
from ecgtune.sweep.trainable import run_trial
from ecgtune.sweep.visible import Newcomers

# A resumable state costs a write of a few MB, so a worker writes it at most this often, in seconds.
STATE_SECONDS = 5.0
# Epochs that no scheduler waits for are reported together, so often that the display stays alive.
BLOCK_SECONDS = 2.5
# More workers than this report less often, so that the driver hears of no more than 20 blocks a second: a worker waits
# for the answer to its report, and the longer the more of them there are.
_MANY_WORKERS = 50


def block_seconds(concurrency: int) -> float:
    """How often each of so many workers reports what no scheduler waits for."""
    return BLOCK_SECONDS * max(1.0, concurrency / _MANY_WORKERS)


def drive(plan: SweepPlan, observer: SweepObserver, concurrency: int, storage: Storage) -> tuple[bool, SweepRecord]:
    """Run all trials on the Ray cluster that is connected.

    Args:
        plan: what to run.
        observer: is told what happens.
        concurrency: trials at once.
        storage: where the sweep's files lie.

    Returns:
        Whether a signal ended the run early, and the record of it.
    """
    settings, resources = plan.space.settings, plan.resources
    sweep = open_sweep(plan, observer, concurrency, storage)
    record, scheduler = sweep.record, sweep.scheduler
    newcomers = Newcomers(plan.folder.path.parent, plan.reads, observer.note)
    # A local machine stays as it is; the nodes of a cluster come and go.
    capacity = None if resources.address is None else Capacity(resources, newcomers)
    head = None if resources.address is None else get_runtime_context().gcs_address
    if capacity is None:
        use_waiting_workers()
    interrupt = Interrupt()
    threads = resources.cpus_per_trial or 1
    trainable = tune.with_parameters(
        run_trial,
        job=shipped(plan.job) if resources.ship_data else fetched(plan.job),
        sweep=str(plan.folder.path.resolve()),
        metric=settings.metric,
        mode=settings.mode,
        threads=threads,
        device=resources.device,
        milestones=scheduler.milestones,
        may_pause=scheduler.pauses,
        block_seconds=block_seconds(concurrency),
        state_seconds=STATE_SECONDS,
        trials=storage.trials,
    )
    where: dict[str, Any] = {"bundle_label_selector": [dict(resources.labels)]} if resources.labels else {}
    needs = tune.PlacementGroupFactory([{"CPU": threads, "GPU": resources.gpus_per_trial, **resources.custom}], **where)
    scratch = Path(tempfile.mkdtemp(prefix="ecgtune-ray-"))
    tuner = tune.Tuner(
        tune.with_resources(trainable, needs),
        tune_config=tune.TuneConfig(
            search_alg=StudySearcher(
                sweep.dispatcher, interrupt, metric=settings.metric, mode=settings.mode, capacity=capacity
            ),
            scheduler=ScheduledTrials(
                scheduler, record, metric=settings.metric, sign=sweep.sign, max_epochs=plan.job.max_epochs
            ),
            metric=settings.metric,
            mode=settings.mode,
            # Ray takes a trial that is woken for a new one; the searcher says when there are no more.
            num_samples=-1,
            max_concurrent_trials=concurrency if capacity is None else settings.num_samples,
            reuse_actors=True,
            trial_name_creator=lambda trial: str(trial.config["trial_id"]),
            trial_dirname_creator=lambda trial: str(trial.config["trial_id"]),
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=str(scratch),
            callbacks=[RecordCallback(sweep.dispatcher, record, interrupt)],
            stop=interrupt,
            failure_config=tune.FailureConfig(max_failures=WORKER_DEATHS),
            verbose=0,
        ),
    )
    try:
        with on_signal(interrupt, observer.note), watching_head(head, observer.note):
            tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with interrupt.keeping_errors():
            record.close()
    if interrupt.error is not None:
        raise interrupt.error
    return interrupt.stopped, record
