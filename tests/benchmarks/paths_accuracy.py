"""Does the way convolutions are computed change how well the encoder learns?

    python tests/benchmarks/paths_accuracy.py --data data/mitdb [--seeds 5] [--epochs 6] [--windows 200]

Trains the same small configuration on the direct path and on the Fourier path with each seed; split, weights, order
and views are the same on both. The two differ by rounding, which training magnifies as it does any change: so what
counts is the mean difference over the seeds, and its 95 % interval (Student's t).
"""

import time
from pathlib import Path

import numpy as np
import torch
from common import arguments, compared, provenance, save, show
from scipy import stats

from ecgtune.config import PretextConfig, configure
from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import pretext_split
from ecgtune.data.store import load_dataset
from ecgtune.training.memory import keep_freed_memory
from ecgtune.training.pretrain import pretrain

PARAMETERS = {
    "pretext/encoder/pool_stride": 8,
    "pretext/batch_size": 32,
    "pretext/loss": "softmax",
    "pretext/loss_weights": "uniform",
    "pretext/head/dropout": 0.0,
}
METRICS = ("val_macro_f1", "val_accuracy", "val_loss")


def train(pool, seed, path, epochs, n_windows):
    """The metrics of the last epoch, and the seconds of all."""
    config = configure(PretextConfig, PARAMETERS | {"pretext/windows_per_epoch": n_windows}, where="benchmark")
    split = pretext_split(pool.persons, val_fraction=0.2, held_out=(), seed=seed)
    split = type(split)(split.train, np.random.default_rng(seed).permutation(split.val)[:n_windows])
    start = time.perf_counter()
    *_, last = pretrain(config, pool, split, epochs=epochs, seed=seed, path=path)
    return last.metrics, time.perf_counter() - start


def main():
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--windows", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    dataset = load_dataset(options.data)
    where = provenance(dataset.fingerprint)
    pool = WindowPool([dataset])
    found = {"direct": [], "fourier": []}
    for seed in range(options.seeds):
        for path, results in found.items():
            metrics, seconds = train(pool, seed, path, options.epochs, options.windows)
            results.append({"seconds": seconds, **{name: metrics[name] for name in METRICS}})
            print(f"seed {seed} {path:8s} " + " ".join(f"{k} {v:.4f}" for k, v in results[-1].items()), flush=True)
    comparisons, differences = [], {}
    for name in METRICS:
        ours, direct = (np.array([row[name] for row in found[path]]) for path in ("fourier", "direct"))
        gained = ours - direct
        half = stats.t.ppf(0.975, len(gained) - 1) * gained.std(ddof=1) / np.sqrt(len(gained))
        differences[name] = {"mean": gained.mean(), "low": gained.mean() - half, "high": gained.mean() + half}
        comparisons.append(compared(name, ours.mean(), direct.mean(), "", less_is_better=name == "val_loss"))
        interval = f"[{gained.mean() - half:+.4f}, {gained.mean() + half:+.4f}]"
        print(f"{name}: fourier - direct = {gained.mean():+.4f} {interval}")
    seconds = {path: sum(row["seconds"] for row in results) for path, results in found.items()}
    comparisons.append(compared("training", seconds["fourier"], seconds["direct"], "s", less_is_better=True))
    show(comparisons)
    figures = {"comparisons": comparisons, "differences": differences, "runs": found, "parameters": PARAMETERS}
    save("paths_accuracy", figures, where, options.out)


if __name__ == "__main__":
    main()
