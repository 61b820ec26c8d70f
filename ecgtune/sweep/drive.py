"""One Ray `Tuner` run of a planned sweep."""

import shutil
import tempfile
from pathlib import Path

from ray import tune

from ecgtune.space import METRICS
from ecgtune.sweep.callback import WORKER_DEATHS, RecordCallback
from ecgtune.sweep.dispatch import Dispatcher
from ecgtune.sweep.engine import use_waiting_workers
from ecgtune.sweep.events import SweepObserver
from ecgtune.sweep.interrupt import Interrupt, on_signal
from ecgtune.sweep.plan import SweepPlan
from ecgtune.sweep.record import SweepRecord
from ecgtune.sweep.retention import KEEP
from ecgtune.sweep.scheduler import ScheduledTrials
from ecgtune.sweep.schedulers import SCHEDULERS, Once
from ecgtune.sweep.searcher import StudySearcher
from ecgtune.sweep.study import SweepStudy
from ecgtune.sweep.tensorboard import SweepBoard
from ecgtune.sweep.trainable import run_trial

# A resumable state costs a write of a few MB, so a worker writes it at most this often, in seconds.
STATE_SECONDS = 5.0
# Epochs that no scheduler waits for are reported together, so often that the display stays alive.
BLOCK_SECONDS = 1.0


def drive(plan: SweepPlan, observer: SweepObserver, concurrency: int) -> tuple[bool, SweepRecord]:
    """Run all trials on the Ray cluster that is connected.

    Args:
        plan: what to run.
        observer: is told what happens.
        concurrency: trials at once.

    Returns:
        Whether a signal ended the run early, and the record of it.
    """
    folder, space = plan.folder, plan.space
    settings, resources = space.settings, plan.resources
    study = SweepStudy(folder.study, space, num_samples=settings.num_samples, seed=settings.seed)
    others = [name for name in METRICS[settings.stage] if name != settings.metric]
    board = SweepBoard(folder.tensorboard, space.parameters, [settings.metric, *others])
    record = SweepRecord(
        folder,
        space,
        study,
        board,
        observer,
        classes=plan.job.classes,
        max_epochs=plan.job.max_epochs,
        keep=resources.keep or KEEP,
    )
    finished = record.restore()
    if finished:
        observer.note(f"{len(finished)} of {settings.num_samples} trials are finished already, and stay so.")
    for tag, figure in plan.job.figures().items():
        board.figure(tag, figure)
    observer.sweep_started(
        name=folder.name,
        folder=folder.path,
        stage=settings.stage,
        num_samples=settings.num_samples - len(finished),
        max_epochs=plan.job.max_epochs,
        metric=settings.metric,
        mode=settings.mode,
        concurrency=concurrency,
        throughput_unit="views/s" if settings.stage == "pretext" else "windows/s",
    )
    if resources.address is None:
        use_waiting_workers()
    interrupt = Interrupt()
    threads = resources.cpus_per_trial or 1
    sign = 1.0 if settings.mode == "max" else -1.0
    scheduler = Once(SCHEDULERS[settings.scheduler](settings, plan.job.max_epochs))
    dispatcher = Dispatcher(study, record, scheduler, sign)
    trainable = tune.with_parameters(
        run_trial,
        job=plan.job,
        sweep=str(folder.path.resolve()),
        metric=settings.metric,
        mode=settings.mode,
        threads=threads,
        device=resources.device,
        milestones=scheduler.milestones,
        may_pause=scheduler.pauses,
        block_seconds=BLOCK_SECONDS,
        state_seconds=STATE_SECONDS,
    )
    needs = {"cpu": threads, "gpu": resources.gpus_per_trial}
    scratch = Path(tempfile.mkdtemp(prefix="ecgtune-ray-"))
    tuner = tune.Tuner(
        tune.with_resources(trainable, needs),
        tune_config=tune.TuneConfig(
            search_alg=StudySearcher(dispatcher, record, interrupt, metric=settings.metric, mode=settings.mode),
            scheduler=ScheduledTrials(
                scheduler, record, metric=settings.metric, sign=sign, max_epochs=plan.job.max_epochs
            ),
            metric=settings.metric,
            mode=settings.mode,
            # Ray takes a trial that is woken for a new one; the searcher says when there are no more.
            num_samples=-1,
            max_concurrent_trials=concurrency,
            reuse_actors=True,
            trial_name_creator=lambda trial: str(trial.config["trial_id"]),
            trial_dirname_creator=lambda trial: str(trial.config["trial_id"]),
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=str(scratch),
            callbacks=[RecordCallback(record, interrupt)],
            stop=interrupt,
            failure_config=tune.FailureConfig(max_failures=WORKER_DEATHS),
            verbose=0,
        ),
    )
    try:
        with on_signal(interrupt, observer.note):
            tuner.fit()
    finally:
        record.close()
        shutil.rmtree(scratch, ignore_errors=True)
    if interrupt.error is not None:
        raise interrupt.error
    return interrupt.stopped, record
