"""How long does an emotion sweep of 100 trials on 5 folds take, from pressing return to the prompt?

    python tests/benchmarks/emotion_sweep.py --data PREPARED --pretext MODEL [--trials 100] [--epochs 60]

PREPARED is a folder made by `ecgtune data prepare eegmat`, MODEL a pretext model or sweep. The embeddings are computed
by a sweep of one trial that is not counted. The command is the one a user types; everything counts: Python, planning,
Ray's start and end, searcher, scheduler, training, tables, TensorBoard, models.
"""

import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import arguments, compared, provenance, save, show

from ecgtune.data.store import load_dataset

LIMIT_SECONDS = 60.0


def sweep(options, results, trials, epochs):
    """Seconds that the command takes."""
    command = [sys.executable, "-c", "from ecgtune.cli.app import main; main()", "sweep", "emotion"]
    command += ["--data", str(options.data), "--pretext", str(options.pretext), "--results", str(results)]
    command += ["--name", f"trials-{trials}", "--num-samples", str(trials), "--max-epochs", str(epochs)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pretext", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    where = provenance(load_dataset(options.data).fingerprint)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        sweep(options, results, 1, 1)
        seconds = sweep(options, results, options.trials, options.epochs)
        with (results / f"trials-{options.trials}" / "trials.csv").open(encoding="utf-8") as file:
            trials = list(csv.DictReader(file))
    states = {state: sum(row["state"] == state for row in trials) for state in sorted({row["state"] for row in trials})}
    comparisons = [compared(f"{len(trials)} trials", seconds, LIMIT_SECONDS, "s", less_is_better=True)]
    show(comparisons)
    figures = {"comparisons": comparisons, "states": states, "epochs": sum(int(row["epochs"]) for row in trials)}
    print(", ".join(f"{count} {state}" for state, count in states.items()), f"{figures['epochs']} epochs of 5 folds")
    save("emotion_sweep", figures, where, options.out)


if __name__ == "__main__":
    main()
