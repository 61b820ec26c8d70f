"""Does the way convolutions are computed change how well the encoder learns?

    python tests/benchmarks/paths_accuracy.py --data data/mitdb [--seeds 12] [--epochs 8] [--windows 64]
        [--arms ARM ARM ...] [--batch-norm] [--name NAME]

Trains the same small configuration with each seed on the direct path, on the direct path in micro-batches of another
size, on the Fourier path and, where the processor has units for bfloat16, in that type, directly and in tiles; split,
weights, order and views are the same on all. They differ by rounding alone, which training magnifies as it does any
change. So the second is the yardstick: what rounding does to the direct path itself. Differences to the first arm, over
the seeds, with 95 % intervals (Student's t).
"""

import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from common import arguments, compared, provenance, save, show
from scipy import stats

from ecgtune.config import PretextConfig, configure
from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import Split, pretext_split
from ecgtune.data.store import load_dataset
from ecgtune.training.memory import keep_freed_memory
from ecgtune.training.path import has_bf16_units
from ecgtune.training.pretrain import MICRO_BATCH, pretrain

PARAMETERS = {
    "pretext/encoder/pool_stride": 8,
    "pretext/batch_size": 32,
    "pretext/loss": "softmax",
    "pretext/loss_weights": "uniform",
    "pretext/head/dropout": 0.0,
}
METRICS = ("val_macro_f1", "val_accuracy", "val_loss")


# Name -> path, and windows of a micro-batch.
ARMS = {"direct": ("direct", 4), "direct, micro-batch 8": ("direct", 8), "fourier": ("fourier", 8)}
if has_bf16_units():
    ARMS |= {"bf16": ("bf16", 4), "tiled": ("tiled", 16)}


def train(seed, folder, epochs, n_windows, arms, batch_norm):
    """{arm: metrics of the last epoch, and the seconds of all}."""
    torch.set_num_threads(1)
    keep_freed_memory()
    pool = WindowPool([load_dataset(folder)])
    more = {"pretext/windows_per_epoch": n_windows, "pretext/encoder/batch_norm": batch_norm}
    config = configure(PretextConfig, PARAMETERS | more, where="benchmark")
    split = pretext_split(pool.persons, val_fraction=0.2, held_out=(), seed=seed)
    split = Split(split.train, np.random.default_rng(seed).permutation(split.val)[:n_windows])
    found = {}
    for arm in arms:
        path, size = ARMS[arm]
        MICRO_BATCH[path] = {"cpu": size, "norm": 4}
        start = time.perf_counter()
        *_, last = pretrain(config, pool, split, epochs=epochs, seed=seed, path=path)
        found[arm] = {"seconds": time.perf_counter() - start, **{name: last.metrics[name] for name in METRICS}}
    return found


def difference(arm, other):
    """Mean of paired differences, and its 95 % interval."""
    gained = np.array(arm) - np.array(other)
    half = stats.t.ppf(0.975, len(gained) - 1) * gained.std(ddof=1) / np.sqrt(len(gained))
    return {"mean": gained.mean(), "low": gained.mean() - half, "high": gained.mean() + half}


def main():
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=[*ARMS])
    parser.add_argument("--batch-norm", action="store_true", help="whose statistics are always of 4 windows")
    parser.add_argument("--name", default="paths_accuracy", help="of the file of figures")
    options = parser.parse_args()
    first, *others = options.arms
    where = provenance(load_dataset(options.data).fingerprint)
    given = {name: getattr(options, name) for name in ("epochs", "arms", "batch_norm")}
    task = partial(train, folder=options.data, n_windows=options.windows, **given)
    runs = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        for seed, run in enumerate(processes.map(task, range(options.seeds))):
            runs.append(run)
            for arm, metrics in run.items():
                print(f"seed {seed} {arm:22s} " + " ".join(f"{k} {v:.4f}" for k, v in metrics.items()), flush=True)
    columns = {arm: {name: [run[arm][name] for run in runs] for name in ("seconds", *METRICS)} for arm in options.arms}
    comparisons, differences = [], {}
    for arm in others:
        for name in METRICS:
            found = differences[f"{name}, {arm}"] = difference(columns[arm][name], columns[first][name])
            print(f"{name}: {arm} - {first} = {found['mean']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]")
            ours, base = (float(np.mean(columns[each][name])) for each in (arm, first))
            comparisons.append(compared(f"{name}, {arm}", ours, base, "", less_is_better=name == "val_loss"))
        ours, base = (sum(columns[each]["seconds"]) for each in (arm, first))
        comparisons.append(compared(f"training, {arm}", ours, base, "s", less_is_better=True))
    show(comparisons)
    figures = {"comparisons": comparisons, "differences": differences, "runs": runs, "parameters": PARAMETERS}
    save(options.name, figures, where, options.out)


if __name__ == "__main__":
    main()
