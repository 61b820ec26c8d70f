"""Compare search methods by replaying them over the recorded learning curves, in simulated time.

    python tests/benchmarks/search_comparison.py [--table results/curves/pretext.toml ...] [--workers 4 2] [--seeds 50]

Writes `search.json` beside the tables: for every table, number of workers and method the simulated seconds until the
incumbent was within 1, 2 and 5 % of the table's best, seed by seed, and quartiles of the regret against time.
`search_report.py` makes the table and the plots from it.

A run is over when the incumbent is within 1 %: regrets below that are not followed. Otherwise it is over at the time
that training the whole table would take (the horizon), when the method has nothing left to do, or after `--max-trials`
trials, as many as there are configurations unless told otherwise; such a seed is censored. Studies are written to the
folder for temporary files: TMPDIR=/dev/shm spares the disk. What `search.json` holds of other methods with as many
seeds is kept.
"""

import argparse
import json
import math
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from common import REPOSITORY, provenance
from curve_table import read_table
from replay import replay
from search_methods import METHODS, build

from ecgtune.files import write_json

CURVES = REPOSITORY / "results" / "curves"
PERCENT = (1, 2, 5)
TIMES = 60


@cache
def loaded(file):
    """A table, once per process."""
    return read_table(Path(file))


def one(file, method, workers, seed, max_trials):
    """One replay: seconds to each target, the end, epochs, trials, configurations, and the regret over time."""
    torch.set_num_threads(1)
    table = loaded(file)
    horizon = float(table.seconds.sum()) / workers
    with tempfile.TemporaryDirectory() as folder:
        search = build(METHODS[method], table, Path(folder), workers, seed)
        found = replay(
            table,
            search,
            workers=workers,
            horizon=horizon,
            free_repeats=METHODS[method].free_repeats,
            max_trials=max_trials or len(table.scores),
            enough=table.target(),
        )
    regret = regret_at(found, table.best, grid(horizon))
    reached = [found.reached(table.target(percent)) for percent in PERCENT]
    return [reached, found.end, found.epochs, found.trials, found.distinct, regret.tolist()]


def grid(horizon):
    """The times at which regret is kept: equal steps in the logarithm, up to the horizon."""
    return np.geomspace(horizon / 500, horizon, TIMES)


def regret_at(found, best, times):
    """The distance of the incumbent from the best, relative to the best; 1 before the first epoch ends."""
    position = np.searchsorted(found.times, times, side="right") - 1
    scores = np.concatenate([found.scores, [0.0]])[position]
    return np.clip((best - scores) / abs(best), 0.0, 1.0)


def compare(files, workers, methods, seeds, *, max_trials=None, processes=2, known=()):
    """All replays, and what they come to, again after each method.

    Args:
        files: space files with their Parquet beside them.
        workers: numbers of workers.
        methods: names out of `METHODS`.
        seeds: how many, from 0.
        max_trials: see `one`.
        processes: replays at the same time.
        known: what an earlier comparison came to, whose other methods are kept.
    """
    tables = dict(known)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        runs = {
            (file, count, method): [
                pool.submit(one, str(file), method, count, seed, max_trials) for seed in range(seeds)
            ]
            for file in files
            for count in workers
            for method in methods
        }
        for (file, count, method), results in runs.items():
            started = time.perf_counter()
            entry = summary([run.result() for run in results])
            table = loaded(str(file))
            place = tables.setdefault(f"{table.name}, {count} workers", described(table, count))
            place["methods"][method] = entry
            print(
                f"{table.name} {count} {method}: median {entry['median']:.4g}, "
                f"of all seeds {entry['spent']:.4g}, censored {entry['censored']}/{seeds}"
                f" (waited {time.perf_counter() - started:.0f} s)",
                flush=True,
            )
            yield tables


def described(table, workers):
    """A table's figures."""
    there = np.nanmax(table.scores, axis=1) >= table.target()
    horizon = float(table.seconds.sum()) / workers
    elapsed = np.cumsum(table.seconds, axis=1)
    first = np.argmax(table.scores >= table.target(), axis=1)
    return {
        "table": table.name,
        "workers": workers,
        "configurations": len(table.scores),
        "epochs": table.epochs,
        "best": table.best,
        "within": {
            str(percent): int((np.nanmax(table.scores, axis=1) >= table.target(percent)).sum()) for percent in PERCENT
        },
        "horizon": horizon,
        # A clairvoyant that trains nothing but the configuration that gets there soonest.
        "clairvoyant": float(elapsed[there, first[there]].min()),
        "times": grid(horizon).tolist(),
        "methods": {},
    }


def summary(runs):
    """Of one method's seeds; `reached` is None where a seed is censored."""
    reached, ends, epochs, trials, distinct, regrets = (list(column) for column in zip(*runs, strict=True))
    times = dict(zip(map(str, PERCENT), zip(*reached, strict=True), strict=True))
    first = np.array(times["1"])
    return {
        "reached": {
            percent: [value if math.isfinite(value) else None for value in column] for percent, column in times.items()
        },
        "ends": ends,
        "median": float(np.median(np.minimum(first, ends))),
        "spent": float(np.minimum(first, ends).sum()),
        "censored": int(np.isinf(first).sum()),
        "epochs": float(np.mean(epochs)),
        "trials": float(np.mean(trials)),
        "distinct": float(np.mean(distinct)),
        "regret_quartiles": np.percentile(np.array(regrets), [25, 50, 75], axis=0).tolist(),
    }


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, nargs="+", default=[CURVES / "pretext.toml", CURVES / "emotion.toml"])
    parser.add_argument("--workers", type=int, nargs="+", default=[4, 2])
    parser.add_argument("--method", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--max-trials", type=int, default=None)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=CURVES, help="the folder for search.json")
    options = parser.parse_args()
    where, file = provenance(), options.out / "search.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for tables in compare(
        options.table,
        options.workers,
        options.method,
        options.seeds,
        max_trials=options.max_trials,
        processes=options.processes,
        known=known.get("tables", ()) if known.get("seeds") == options.seeds else (),
    ):
        write_json(
            file, {"seeds": options.seeds, "tables": tables, "provenance": [*known.get("provenance", []), where]}
        )


if __name__ == "__main__":
    main()
