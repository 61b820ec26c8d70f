"""How long is it from pressing return until the first trial trains? A sweep's command, and a script of stock Ray Tune.

    python tests/benchmarks/first_trial.py --data PREPARED [--rounds 10] [--target-seconds 8]

PREPARED is a folder made by `ecgtune data prepare`, for the committed figures that of eegmat; without it windows are
generated. Both run in turns, each as a process of its own whose every second counts, on all cores of this machine with
a trial for each of them:

ours      `ecgtune sweep pretext --space smoke`, which reads the data, plans, starts Ray, and trains. Its first trial
          trains from the start of its first epoch: from when that is shown, less what it took
fresh     the same with an empty cache, as on a machine's first day: it compiles and measures first
baseline  what a notebook would do: `Tuner`, `OptunaSearch`, `ASHAScheduler` and a function that imports PyTorch and
          says what time it is; it reads no data, and has no network to build

A throw-away round comes first, after which the files are in memory and, but for `fresh`, the probe of this machine is
in the cache.
Medians count. `a core without Ray` is the share of a core that a process gets when two compute side by side just
before: below 100 % the machine has other things to do.
"""

import csv
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import arguments, compared, provenance, save, show
from generated import generated_dataset
from harness import share_of_a_core

from ecgtune.data.store import load_dataset

STOCK = """
import sys
import torch
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

def train(config, mark):
    import time
    import torch
    assert torch.zeros(1).item() == 0
    with open(mark, "a") as file:
        file.write(f"{time.time()}\\n")
    tune.report({"loss": config["lr"]})

tune.Tuner(
    tune.with_resources(tune.with_parameters(train, mark=sys.argv[1]), {"cpu": 1}),
    param_space={"lr": tune.loguniform(1e-4, 1e-2)},
    tune_config=tune.TuneConfig(
        metric="loss", mode="min", num_samples=int(sys.argv[2]), search_alg=OptunaSearch(), scheduler=ASHAScheduler()
    ),
).fit()
"""


def ours(place, data, *, fresh=False):
    """Run the command; gives seconds until the first trial trains, and until the prompt is back."""
    environment = os.environ | {"TERM": "dumb"}
    environment.pop("ECGTUNE_CONVOLUTION", None)
    with tempfile.TemporaryDirectory(dir=place) as results:
        command = [sys.executable, "-m", "ecgtune", "sweep", "pretext", "--data", str(data), "--space", "smoke"]
        command += ["--results", results, "--name", "first", "--num-samples", str(os.cpu_count()), "--max-epochs", "1"]
        if fresh:
            environment["ECGTUNE_CACHE"] = str(Path(results) / "cache")
        begun, shown = time.time(), {}
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            for line in process.stderr:
                if epoch := re.match(r"trial (\d+) epoch ", line):
                    shown.setdefault(epoch[1], time.time())
        wall = time.time() - begun
        if process.returncode:
            raise SystemExit(f"the sweep ended with exit code {process.returncode}.")
        rows = csv.DictReader((Path(results) / "first" / "epochs.csv").open())
        took = {row["trial_id"]: float(row["seconds"]) for row in rows if row["epoch"] == "1"}
    return min(shown[trial] - took[trial] for trial in shown) - begun, wall


def stock(place):
    """Run the script; gives the same two."""
    mark = place / "mark"
    mark.unlink(missing_ok=True)
    begun = time.time()
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    ran = subprocess.run(
        [sys.executable, "-c", STOCK, str(mark), str(os.cpu_count())],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=place,
    )
    wall = time.time() - begun
    if ran.returncode:
        raise SystemExit(f"the script of stock Ray Tune failed: {ran.stderr[-500:]}")
    return min(float(line) for line in mark.read_text().splitlines()) - begun, wall


def benchmark(place, data, rounds, target=None, *, throw_away=True):
    """The figures of so many rounds."""
    runs = []
    for turn in range(0 if throw_away else 1, rounds + 1):
        core = share_of_a_core()
        (first, wall), (stock_first, stock_wall) = ours(place, data), stock(place)
        fresh, _ = ours(place, data, fresh=True)
        run = {"ours_s": first, "ours_command_s": wall, "baseline_s": stock_first, "baseline_command_s": stock_wall}
        run["ours_fresh_s"] = fresh
        print(
            f"{turn or 'throw-away'}: first trial {first:.1f} s of a command of {wall:.1f} s, fresh {fresh:.1f} s; "
            f"stock Ray Tune {stock_first:.1f} s of {stock_wall:.1f} s; a core without Ray {core:.0%}",
            flush=True,
        )
        if turn:
            runs.append(run | {"share_of_a_core_without_ray": core})
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    comparisons = [
        compared(what, middle[f"ours{key}"], middle[f"baseline{key}"], "s", less_is_better=True)
        for what, key in (("until the first trial trains", "_s"), ("the whole command", "_command_s"))
    ]
    fresh = ("until the first trial trains, with an empty cache", middle["ours_fresh_s"], middle["baseline_s"], "s")
    comparisons.append(compared(*fresh, less_is_better=True))
    return {"comparisons": comparisons, "runs": runs, "target_s": target}


def main():
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--target-seconds", type=float, default=8.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        dataset = load_dataset(options.data.resolve()) if options.data else generated_dataset(place / "data", 600, 30)
        where = provenance(dataset.fingerprint)
        found = benchmark(place, dataset.folder, options.rounds, options.target_seconds)
    show(found["comparisons"])
    within = sum(run["ours_s"] <= options.target_seconds for run in found["runs"])
    print(f"within {options.target_seconds:g} s: {within} of {options.rounds}")
    save("first_trial", found, where, options.out)


if __name__ == "__main__":
    main()
