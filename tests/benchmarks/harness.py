"""What do Ray, reporting, checkpoints and logging cost a sweep? The real machinery, on epochs of a known length.

    python tests/benchmarks/harness.py [--epoch-seconds 1 0.02] [--trials 12 60] [--max-epochs 18 60] [--rounds 1]
        [--work busy sleep] [--name harness]

A sweep with ASHA and TPE runs in a process of its own on two workers, with a job whose epochs do nothing but take
time: `busy` ones compute until they have had so many seconds of a core, `sleep` ones wait. Its models are as large as
an emotion stage's, and nearly every epoch is the best so far. Printed for each length of an epoch:

in epochs     the share of the workers' time that was spent in epochs; what is missing to 100 % is the harness. A
              worker's time is that in which it could run: from the first trial's start to the last trial's start, and
              on to the end of the trial that it then has
of command    the same share of the whole command: from the start of the process to its end, times the workers
first trial   seconds from the start of the process until the first trial begins to train
core          the share of a core that a process without Ray gets when two compute side by side: below 100 % the
              machine has other things to do, and `busy` sweeps suffer from them too
"""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from common import arguments, compared, provenance, save, show

from ecgtune.space import Categorical, Float, SearchSpace, SweepSettings
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.plan import Resources, SweepPlan
from ecgtune.training.checkpoint import save_model
from ecgtune.training.result import EpochResult, Snapshot

WORKERS = 2
# As many weights as five heads of 384 -> 256 -> 256 -> 1.
WEIGHTS = 5 * (384 * 256 + 256 * 256)
# The share of the workers' time that is to be spent in epochs, by their length in seconds.
TARGETS = {1.0: 0.95, 0.02: 0.75}


@dataclass(frozen=True)
class TimedJob:
    """Epochs of a known length whose loss falls from epoch to epoch, faster near the right learning rate.

    `mark` is a file whose first line is the time at which the first trial began to train.
    """

    max_epochs: int
    epoch_seconds: float
    busy: bool
    mark: str
    classes: tuple[str, ...] = ("a", "b")
    folders: tuple[str, ...] = ()

    def symptom(self, result):
        """None."""
        return ""

    def epochs(self, parameters, device, resume, *, halved=False):
        with Path(self.mark).open("a") as file:
            file.write(f"{time.time()}\n")
        weights = torch.zeros(WEIGHTS)
        distance = abs(np.log10(parameters["emotion/adam/lr"]) + 2.5)
        for epoch in range(1 if resume is None else resume["epoch"] + 1, self.max_epochs + 1):
            if self.busy:
                compute(self.epoch_seconds, weights)
            else:
                time.sleep(self.epoch_seconds)
            loss = float(distance + 1 / epoch)
            metrics = dict.fromkeys(("train_loss", "val_loss", "train_accuracy", "val_accuracy", "val_auc"), loss)

            def snapshot(epoch=epoch):
                return Snapshot({}, {"weights": weights.clone()}, {"epoch": epoch, "weights": weights.clone()})

            yield EpochResult(epoch, 1e-3, metrics, self.epoch_seconds, 1.0, np.eye(2, dtype=np.int64), snapshot)

    def save(self, folder, parameters, result, origin):
        state = result.snapshot()
        card = {"epoch": result.epoch, "metrics": dict(result.metrics), "sweep": origin}
        save_model(folder, encoder=state.encoder, heads=state.heads, card=card)

    def figures(self):
        return {}


class Clock:
    """A display that shows nothing, and remembers when trials start and end."""

    def __init__(self):
        self.started, self.ended = {}, {}

    def trial_started(self, trial):
        self.started[trial.trial_id] = time.time()

    def trial_finished(self, trial):
        self.ended[trial.trial_id] = time.time()

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def compute(seconds, weights):
    """Until this thread has had so many seconds of a core."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        weights.add_(1e-6)


def timed_compute(seconds):
    """Wall seconds of so many seconds of a core."""
    torch.set_num_threads(1)
    weights, begun = torch.zeros(WEIGHTS), time.time()
    compute(seconds, weights)
    return time.time() - begun


def share_of_a_core(seconds=2.0):
    """What two processes that compute side by side get, without Ray."""
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        return float(np.mean([seconds / wall for wall in pool.map(timed_compute, [seconds] * WORKERS)]))


def plan(place, job, trials):
    settings = SweepSettings(
        stage="emotion",
        metric="val_loss",
        mode="min",
        num_samples=trials,
        max_epochs=job.max_epochs,
        # No worker ever waits for another one, as with promotions at the end of a sweep.
        scheduler="asha",
        grace_period=max(1, job.max_epochs // 6),
        reduction_factor=3,
    )
    parameters = (
        Float("emotion/adam/lr", 1e-4, 3e-2, log=True),
        Float("emotion/head/dropout", 0.0, 0.6),
        Categorical("emotion/batch_size", (32, 64, 128, 256)),
        Categorical("emotion/head/layers", (0, 1, 2, 3)),
    )
    space = SearchSpace(Path("timed.toml"), "", settings, parameters, {})
    return SweepPlan(SweepFolder(place / "results" / "timed"), space, job, Resources(max_concurrent=WORKERS))


def sweep(place, epoch_seconds, trials, max_epochs, busy):
    """In a process of its own: run the sweep and write what was seen."""
    from ecgtune.sweep.runner import run_sweep

    clock = Clock()
    outcome = run_sweep(plan(place, TimedJob(max_epochs, epoch_seconds, busy, str(place / "mark")), trials), clock)
    seen = {"started": clock.started, "ended": clock.ended, "first": float((place / "mark").read_text().split()[0])}
    seen["epochs"] = {trial.trial_id: trial.epochs for trial in outcome.trials}
    (place / "seen.json").write_text(json.dumps(seen))


def measure(epoch_seconds, trials, max_epochs, *, busy):
    """Run one sweep; gives its figures."""
    with tempfile.TemporaryDirectory() as place:
        asked = [place, str(epoch_seconds), str(trials), str(max_epochs), str(int(busy))]
        begun = time.time()
        subprocess.run([sys.executable, __file__, "--sweep", *asked], check=True)
        wall = time.time() - begun
        seen = json.loads((Path(place) / "seen.json").read_text())
    in_epochs = epoch_seconds * sum(seen["epochs"].values())
    first, last = min(seen["started"].values()), max(seen["started"].values())
    after = [seen["ended"][trial] - max(last, start) for trial, start in seen["started"].items()]
    could_run = WORKERS * (last - first) + sum(seconds for seconds in after if seconds > 0)
    return {
        "epoch_seconds": epoch_seconds,
        "work": "busy" if busy else "sleep",
        "trials": trials,
        "epochs": sum(seen["epochs"].values()),
        "in_epochs_s": in_epochs,
        "could_run_s": could_run,
        "share_in_epochs": in_epochs / could_run,
        "command_s": wall,
        "share_of_command": in_epochs / (WORKERS * wall),
        "first_trial_after_s": seen["first"] - begun,
    }


def benchmark(sweeps, works=("busy", "sleep"), rounds=1):
    """The figures of each sweep (seconds of an epoch, trials, epochs at most) with each kind of work; medians count."""
    rows = []
    print("epoch s  work   trials  epochs  in epochs  of command  command s  first trial s  core")
    for seconds, trials, max_epochs in sweeps:
        for work in works * rounds:
            core = share_of_a_core()
            row = measure(seconds, trials, max_epochs, busy=work == "busy") | {"share_of_a_core_without_ray": core}
            rows.append(row)
            print(
                f"{seconds:<7g}  {work:<5}  {trials:6}  {row['epochs']:6}  {row['share_in_epochs']:9.1%}  "
                f"{row['share_of_command']:10.1%}  {row['command_s']:9.1f}  {row['first_trial_after_s']:13.1f}  "
                f"{core:4.0%}",
                flush=True,
            )
    return {"comparisons": comparisons(rows), "sweeps": rows, "workers": WORKERS}


def comparisons(rows):
    """What the medians of alike sweeps leave of all time for epochs, without and with start and end."""
    found = []
    for seconds, work in dict.fromkeys((row["epoch_seconds"], row["work"]) for row in rows):
        alike = [row for row in rows if (row["epoch_seconds"], row["work"]) == (seconds, work)]
        share, of_command, wall = (
            float(np.median([row[key] for row in alike]))
            for key in ("share_in_epochs", "share_of_command", "command_s")
        )
        what = f"in {work} epochs of {seconds:g} s"
        found += [
            compared(f"share of workers' time {what}", share, 1.0, "", target=TARGETS.get(seconds)),
            compared(f"share of the whole command, {wall:.0f} s, {what}", of_command, 1.0, ""),
        ]
    return found


def main():
    if sys.argv[1:2] == ["--sweep"]:
        place, epoch_seconds, trials, max_epochs, busy = sys.argv[2:]
        sweep(Path(place), float(epoch_seconds), int(trials), int(max_epochs), busy == "1")
        return
    parser = arguments(__doc__)
    parser.add_argument("--epoch-seconds", type=float, nargs="+", default=[1.0, 0.02])
    parser.add_argument("--trials", type=int, nargs="+", default=[12, 60])
    parser.add_argument("--max-epochs", type=int, nargs="+", default=[18, 60])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--name", default="harness", help="of the file that is written")
    parser.add_argument("--work", choices=["busy", "sleep"], nargs="+", default=["busy", "sleep"])
    options = parser.parse_args()
    where = provenance()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sweeps = list(zip(options.epoch_seconds, options.trials, options.max_epochs, strict=True))
    figures = benchmark(sweeps, tuple(options.work), options.rounds)
    show(figures["comparisons"])
    save(options.name, figures, where, options.out)


if __name__ == "__main__":
    main()
