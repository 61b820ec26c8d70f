"""How long does an emotion sweep of 100 trials with five folds take, from pressing return to the prompt?

    python tests/benchmarks/emotion_sweep.py --data PREPARED [--trials 100] [--seeds 0 1 2] [--target-seconds 60]

PREPARED is a folder made by `ecgtune data prepare`, for the committed figures that of eegmat; without it windows are
generated. The sweep is `ecgtune sweep emotion` with the shipped space, on an encoder that was not trained, as a
process of its own whose every second counts: imports, Ray, all trials, all files, shutdown. A sweep of two trials,
which is not timed, leaves the embeddings in the cache.

The baseline beside each sweep is what its epochs alone took: the seconds that its workers spent in training and
validation, shared by the workers; what a sweep takes above that is everything else. Which configurations are tried
differs from run to run where two workers race, and with them the seconds. `a core without Ray` is the share of a core
that a process gets when two compute side by side just before: below 100 % the machine has other things to do.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from common import arguments, compared, provenance, save, show
from emotion_public import untrained_model
from generated import generated_dataset
from harness import share_of_a_core

from ecgtune.data.store import load_dataset


def sweep(place, data, trials, seed, name, more=()):
    """Run `ecgtune sweep emotion` in `place`; gives its wall seconds, and those until its first trial started."""
    command = [sys.executable, "-c", "from ecgtune.cli import main; main()", "sweep", "emotion", "--data", str(data)]
    command += ["--pretext", "untrained", "--name", name, "--num-samples", str(trials), "--seed", str(seed), *more]
    environment = os.environ | {"ECGTUNE_CACHE": str(place / "cache")}
    begun, first = time.perf_counter(), None
    process = subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    with process:
        for line in process.stderr:
            if first is None and " started: " in line:
                first = time.perf_counter() - begun
    if process.returncode:
        raise SystemExit(f"the sweep ended with exit code {process.returncode}.")
    return time.perf_counter() - begun, first


def figures(folder, wall, first):
    """What a finished sweep's tables say."""
    rows, epochs = (list(csv.DictReader((folder / f"{name}.csv").open())) for name in ("trials", "epochs"))
    resources = tomllib.loads((folder / "sweep.toml").read_text())["resources"]
    workers = (os.cpu_count() or 1) // resources["cpus_per_trial"]
    states = [row["state"] for row in rows]
    return {
        "wall_s": wall,
        "first_trial_started_after_s": first,
        "trials": len(rows),
        "trials_per_s": len(rows) / wall,
        "states": {state: states.count(state) for state in sorted(set(states))},
        "epochs": len(epochs),
        "workers": workers,
        "epochs_s": sum(float(row["seconds"]) for row in epochs),
    }


def benchmark(data, place, *, trials, seeds, target=None, more=()):
    """One timed sweep per seed."""
    dataset = load_dataset(data) if data else generated_dataset(place / "data", 600, 30)
    untrained_model(place / "results" / "untrained" / "best", dataset.sfreq)
    sweep(place, dataset.folder, 2, 0, "throw-away", more)
    runs = []
    for seed in seeds:
        core = share_of_a_core()
        wall, first = sweep(place, dataset.folder, trials, seed, f"seed{seed}", more)
        found = figures(place / "results" / f"seed{seed}", wall, first)
        runs.append({"seed": seed, **found, "share_of_a_core_without_ray": core})
    comparisons = [
        compared(
            f"{trials} trials, seed {run['seed']}: the whole command against its epochs alone",
            run["wall_s"],
            run["epochs_s"] / run["workers"],
            "s",
            less_is_better=True,
        )
        for run in runs
    ]
    return {"comparisons": comparisons, "sweeps": runs, "target_s": target}


def main():
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--target-seconds", type=float, default=60.0)
    options = parser.parse_args()
    data = options.data.resolve() if options.data else None
    where = provenance(load_dataset(data).fingerprint if data else None)
    with tempfile.TemporaryDirectory() as place:
        found = benchmark(data, Path(place), trials=options.trials, seeds=options.seeds, target=options.target_seconds)
    show(found["comparisons"])
    for run in found["sweeps"]:
        print(
            f"seed {run['seed']}: {run['wall_s']:.1f} s (target {options.target_seconds:g}), first trial after "
            f"{run['first_trial_started_after_s']:.1f} s, {run['states']}, {run['epochs']} epochs, a core without Ray "
            f"{run['share_of_a_core_without_ray']:.0%}"
        )
    save("emotion_sweep", found, where, options.out)


if __name__ == "__main__":
    main()
