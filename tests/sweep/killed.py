"""Sweeps over known curves that are killed again and again while they write; without Ray, so that it can be often.

    python -m tests.sweep.killed FOLDER SCHEDULER KILLS SEED

Every run is a process of its own, forked from one that has loaded everything, which kills itself with SIGKILL at one of
its operations on the files of the sweep: opening for writing, renaming, removing, copying. Every second one dies just
before the operation, the others a moment after it began. Prints how many runs died; the last one ends the sweep.
KILLS = 0 runs it in one go.
"""

import contextlib
import json
import os
import random
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import torch
from ray.tune.schedulers import TrialScheduler

from ecgtune.sweep import trainable, waiting
from ecgtune.sweep.opening import open_sweep
from ecgtune.sweep.plan import definition
from ecgtune.sweep.scheduler import ScheduledTrials
from tests.sweep import conftest, curves

OPTIONS = {"searcher": "tpe", "num_samples": 12, "max_concurrent": 1, "max_epochs": 11, "grace_period": 6, "seed": 3}
HABITS = (curves.HEALTHY, curves.NAN, curves.COLLAPSES, curves.TIGHT)
OPERATIONS = {"os.rename", "os.remove", "shutil.copyfile"}
# A run gets so far, at most, before it is killed.
REACH = 70


def plan_of(folder, scheduler):
    """`scheduler` may name a searcher before it: `gp+asha`."""
    searcher, _, scheduler = scheduler.rpartition("+")
    given = OPTIONS | ({"searcher": searcher} if searcher else {})
    return conftest.make_plan(folder, *HABITS, scheduler=scheduler, **given)


class Stopped(BaseException):
    """Ray stops a trial that waits in its report."""


def run(plan):
    """Do what `drive` has Ray do: one trial after the other, one report after the other."""
    if not plan.folder.definition.exists():
        plan.folder.write({**definition(plan), "state": "running"})
    settings = plan.space.settings
    sweep = open_sweep(plan, conftest.Listener(), 1)
    side = ScheduledTrials(
        sweep.scheduler, sweep.record, metric=settings.metric, sign=sweep.sign, max_epochs=plan.job.max_epochs
    )
    while (following := sweep.dispatcher.next()) is not None:
        trial_id, parameters = following
        trial = SimpleNamespace(config={"trial_id": trial_id, "parameters": json.dumps(parameters)})

        def report(content, trial=trial):
            decision = side.on_trial_result(None, trial, content)
            sweep.record.report(trial.config["trial_id"], content)
            if decision == TrialScheduler.STOP:
                raise Stopped

        trainable.tune.report = report
        sweep.record.started(trial_id, parameters)
        with contextlib.suppress(Stopped):
            trainable.run_trial(
                trial.config,
                job=plan.job,
                sweep=str(plan.folder.path),
                metric=settings.metric,
                mode=settings.mode,
                threads=1,
                device="cpu",
                milestones=sweep.scheduler.milestones,
                may_pause=sweep.scheduler.pauses,
                block_seconds=0.0 if settings.seed % 2 else 60.0,
                state_seconds=0.0,
            )
        sweep.record.finished(trial_id)
    sweep.record.close()


def arm(folder, kill_at):
    """Die at the given operation below the folder."""
    count, prefix = 0, str(folder)

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def hook(event, arguments):
        nonlocal count
        mode = arguments[1] if event == "open" else None
        writes = event in OPERATIONS or (isinstance(mode, str) and set("wax+") & set(mode))
        if writes and str(arguments[0]).startswith(prefix):
            count += 1
            if count == kill_at and kill_at % 2:
                die()
            elif count == kill_at:
                threading.Timer(kill_at % 5 * 0.0005, die).start()

    sys.addaudithook(hook)


def forked(plan, kill_at):
    """Run in a process of its own; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            torch.set_num_threads(1)
            if kill_at:
                arm(plan.folder.path, kill_at)
            run(plan)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit("a run failed")
    return os.WIFSIGNALED(status)


def main():
    # Of the paused trials of a rung but one begins again when it is woken.
    waiting.STATES = 1
    folder, scheduler, kills, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    plan, points, died = plan_of(folder, scheduler), random.Random(seed), 0
    while died < kills and forked(plan, points.randint(1, REACH)):
        died += 1
    forked(plan, 0)
    print(died)


if __name__ == "__main__":
    main()
