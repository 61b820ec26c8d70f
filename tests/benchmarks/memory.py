"""How much memory does a pretext sweep of n trials at once take? One data set and n small models, it should be.

    python tests/benchmarks/memory.py [--trials 1 2 8] [--windows 100000] [--data FOLDER]

For each n a process of its own runs a pretext sweep of n trials on n logical CPUs, with ecgtune's own machinery; a
trial reads every window once, as a full epoch would, waits until all trials have, and then trains a short epoch. All
processes below it are watched: PSS, from /proc, counts a page that n processes share as 1/n in each, so that the sum
is what they occupy together. The files' pages in the sum are the data set, once, and the programs' code. Needs Linux.

The baseline is computed, not measured: what every further trial would take if it had a copy of the data.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from common import MIB, arguments, compared, provenance, save, show
from generated import generated_dataset
from watching import MemoryWatch

from ecgtune.config import PretextConfig, configure
from ecgtune.data.splits import Split
from ecgtune.data.store import load_dataset
from ecgtune.space import Float, SearchSpace, SweepSettings
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.plan import Resources
from ecgtune.sweep.planning import plan_pretext
from ecgtune.sweep.pretext_job import PretextJob, open_pretext
from ecgtune.training.pretrain import pretrain

PEOPLE = 20
WINDOWS_PER_EPOCH = 16
# Seconds that a trial waits for the others at most.
PATIENCE = 240.0


@dataclass(frozen=True)
class ReadingJob(PretextJob):
    """A pretext job whose trials read all windows, meet, and train on few.

    Args:
        meeting: a folder in which every trial leaves a file with its own memory before training, in KiB.
        trials: that meet there.
    """

    meeting: str = ""
    trials: int = 1

    def symptom(self, result):
        """None."""
        return ""

    def epochs(self, parameters, device, resume, *, halved=False):
        pool, split = open_pretext(self)
        for start in range(0, len(pool), 500):
            pool.take(np.arange(start, min(start + 500, len(pool))))
        meeting = Path(self.meeting)
        lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))
        (meeting / str(os.getpid())).write_text(str(own), encoding="ascii")
        until = time.monotonic() + PATIENCE
        while len(list(meeting.iterdir())) < self.trials:
            if time.monotonic() > until:
                raise TimeoutError(f"{len(list(meeting.iterdir()))} of {self.trials} trials came")
            time.sleep(0.1)
        # The watch looks every 0.2 s: it is to see all of them at once.
        time.sleep(0.5)
        few = Split(split.train, split.val[:4], split.held_out)
        config = configure(PretextConfig, parameters, where="trial")
        return pretrain(config, pool, few, epochs=self.max_epochs, seed=self.seed, path=self.convolution)


class Silent:
    """An observer that shows nothing."""

    def __getattr__(self, name):
        return lambda *given, **more: None


def run(data, place, trials):
    """Run the sweep in this process, and write where the memory was at its peak."""
    from ecgtune.sweep.engine import RaySession
    from ecgtune.sweep.runner import run_sweep

    settings = SweepSettings(
        "pretext", "val_loss", "min", num_samples=trials, max_epochs=1, scheduler="none", hold_out=0.0, val_fraction=0.1
    )
    fixed = {"pretext/windows_per_epoch": WINDOWS_PER_EPOCH}
    space = SearchSpace(Path("memory.toml"), "", settings, (Float("pretext/adam/lr", 1e-4, 1e-2, log=True),), fixed)
    resources = Resources(cpus_per_trial=1, max_concurrent=trials)
    plan = plan_pretext(SweepFolder(place / "results" / "memory"), space, [data], resources)
    meeting = place / "meeting"
    meeting.mkdir()
    job = ReadingJob(**asdict(plan.job), meeting=str(meeting), trials=trials)

    def together(sample):
        """Only the trials side by side are of interest, not what else Ray starts before and after them."""
        return sum(map(is_trial, sample)) == trials

    with MemoryWatch(os.getpid(), every=0.2, counts=together) as watch, RaySession(None, trials):
        outcome = run_sweep(replace(plan, job=job), Silent())
    if failed := [trial.reason for trial in outcome.trials if trial.state != "COMPLETE"]:
        sys.exit(f"trials did not finish: {failed}")
    before = [int(file.read_text(encoding="ascii")) / 1024 for file in meeting.iterdir()]
    (place / "seen.json").write_text(json.dumps({"peak": watch.peak, "before": before}))


def measure(data, trials):
    """The figures of a sweep of so many trials at once, run in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, __file__, "--sweep", str(data), place, str(trials)], check=True)
        return figures(json.loads((Path(place) / "seen.json").read_text()), trials)


def is_trial(process):
    """Whether it trains: Ray names a worker after what it runs; a function that Tune trains is an ImplicitFunc."""
    return process["title"].startswith("ray::ImplicitFunc")


def figures(seen, trials):
    """What the processes took at the peak, in MiB."""
    peak = seen["peak"]

    def total(field, which=lambda process: True):
        return round(sum(process[field] for process in peak if which(process)) / MIB, 1)

    workers = [process for process in peak if is_trial(process)]
    return {
        "trials": trials,
        "peak_mib": total("Pss"),
        "files_mib": total("Pss_File"),
        "own_memory_mib": total("Pss_Anon"),
        "workers": len(workers),
        "worker_pss_mib": round(total("Pss", is_trial) / max(1, len(workers)), 1),
        "worker_own_mib": round(total("Pss_Anon", is_trial) / max(1, len(workers)), 1),
        "worker_own_before_training_mib": round(max(seen["before"]), 1),
        "sum_of_resident_mib": total("Rss"),
    }


def benchmark(data, trials):
    """All figures; a further trial's memory is the slope between the fewest and the most trials."""
    rows = [measure(data, n) for n in sorted(trials)]
    size = sum(file.stat().st_size for file in Path(data).iterdir()) / MIB
    first, last = rows[0], rows[-1]
    further = (last["peak_mib"] - first["peak_mib"]) / max(1, last["trials"] - first["trials"])
    what = f"memory of each further trial (up to {last['trials']} at once), against one with a copy"
    comparison = compared(what, further, further + size, "MiB", less_is_better=True)
    return {"comparisons": [comparison], "data_mib": round(size, 1), "sweeps": rows}


def main():
    if sys.argv[1:2] == ["--sweep"]:
        data, place, trials = sys.argv[2:]
        run(Path(data), Path(place), int(trials))
        return
    parser = arguments(__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--windows", type=int, default=100_000)
    parser.add_argument("--data", type=Path, help="a data-set folder; default: generated windows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = options.data or generated_dataset(Path(temporary) / "data", options.windows, PEOPLE).folder
        where = provenance(load_dataset(data).fingerprint)
        found = benchmark(data.resolve(), options.trials)
    print(f"data set: {found['data_mib']:.0f} MiB")
    for row in found["sweeps"]:
        print("  ".join(f"{name} {value:g}" for name, value in row.items()))
    show(found["comparisons"])
    save("memory", found, where, options.out)


if __name__ == "__main__":
    main()
