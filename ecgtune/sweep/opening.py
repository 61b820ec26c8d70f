"""A sweep, opened from its folder: all that has a part in it but Ray."""

from dataclasses import dataclass

from ecgtune.space import METRICS
from ecgtune.sweep.dispatch import Dispatcher
from ecgtune.sweep.events import SweepObserver
from ecgtune.sweep.plan import SweepPlan
from ecgtune.sweep.record import SweepRecord
from ecgtune.sweep.retention import KEEP
from ecgtune.sweep.schedulers import SCHEDULERS, Once, Scheduler
from ecgtune.sweep.storage import Storage
from ecgtune.sweep.study import SweepStudy
from ecgtune.sweep.tensorboard import SweepBoard


@dataclass(frozen=True)
class OpenSweep:
    """What a sweep consists of while it runs.

    Args:
        record: takes in what happens.
        scheduler: has heard of all that an earlier run has done.
        dispatcher: hands out trials.
        sign: 1 where a high score is good, -1 where a low one is.
    """

    record: SweepRecord
    scheduler: Scheduler
    dispatcher: Dispatcher
    sign: float


def open_sweep(plan: SweepPlan, observer: SweepObserver, concurrency: int, storage: Storage | None = None) -> OpenSweep:
    """Take up a sweep where its files say it is.

    Args:
        plan: what to run.
        observer: is told what happens.
        concurrency: trials at once.
        storage: where the sweep's files lie; None means in its folder.
    """
    folder, space, settings = plan.folder, plan.space, plan.space.settings
    study = SweepStudy(folder.study, space, num_samples=settings.num_samples, seed=settings.seed, winners=plan.winners)
    others = [name for name in METRICS[settings.stage] if name != settings.metric]
    board = SweepBoard(folder.tensorboard, space.parameters, [settings.metric, *others], observer.note)
    record = SweepRecord(
        folder,
        space,
        study,
        board,
        observer,
        classes=plan.job.classes,
        max_epochs=plan.job.max_epochs,
        keep=plan.resources.keep or KEEP,
        storage=storage,
    )
    finished = record.restore()
    if finished:
        observer.note(f"{len(finished)} of {settings.num_samples} trials are finished already, and stay so.")
    for tag, draw in plan.job.figures().items():
        board.figure(tag, draw)
    observer.sweep_started(
        name=folder.name,
        folder=folder.path,
        stage=settings.stage,
        num_samples=settings.num_samples,
        max_epochs=plan.job.max_epochs,
        metric=settings.metric,
        mode=settings.mode,
        concurrency=concurrency,
        throughput_unit="views/s" if settings.stage == "pretext" else "windows/s",
        searcher=settings.searcher,
        scheduler=settings.scheduler,
        earlier=[record.view(trial) for trial in finished],
        best=record.best,
    )
    sign = 1.0 if settings.mode == "max" else -1.0
    scheduler = Once(SCHEDULERS[settings.scheduler](settings, plan.job.max_epochs))
    return OpenSweep(record, scheduler, Dispatcher(study, record, scheduler, sign), sign)
