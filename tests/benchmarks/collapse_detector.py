"""How many collapses does the watch catch, how soon, and how many sound trials does it stop?

    python tests/benchmarks/collapse_detector.py [--tables PRETEXT.parquet EMOTION.parquet] [--injections 1000]

Sound trials are recorded curves whose last epoch has no symptom: whatever they went through, they got over it. Stopping
one anywhere is a mistake. Collapses are injected into sound curves after a random epoch of those by which the trial has
had its chance: constant predictions, guessing (a binomial draw each epoch), or embeddings on a line, for all epochs
that follow. Caught in time means by the second epoch of the collapse. The
tables hold no confusion matrices, so one is built for each epoch from its accuracy and the share of its most frequent
prediction. Trials that collapsed by themselves are counted too. Intervals are Clopper and Pearson's, 95 %.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from common import REPOSITORY, arguments, provenance, save
from scipy.stats import beta

from ecgtune.training.collapse import CHANCE_EPOCHS, CONSTANT, CollapseWatch, emotion_symptom, pretext_symptom
from ecgtune.training.result import EpochResult

CURVES = REPOSITORY / "results" / "curves"
CLASSES = tuple("abcdefg")
KINDS = {"pretext": ("constant", "guessing", "line"), "emotion": ("constant",)}
IN_TIME = 2


def counted_by(accuracies):
    """How many views were looked at: the smallest multiple of 7 of which all accuracies are fractions."""
    for n in range(7, 100_000, 7):
        if np.abs(accuracies * n - np.round(accuracies * n)).max() < 1e-6:
            return n
    raise ValueError("these are no accuracies")


def balanced(right, n):
    """Counts [7, 7] with so many right, the errors spread."""
    counts = np.full((7, 7), (n - right) // 42, dtype=np.int64)
    np.fill_diagonal(counts, right // 7)
    counts[0, 0] += right - 7 * (right // 7)
    counts[0, 1] += n - counts.sum()
    return counts


def column(n_classes, rows):
    """Counts of which all are called the last class."""
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    counts[:, -1] = rows
    return counts


def result(stage, row, n):
    """An epoch of a table."""
    metrics = {"val_auc": row.get("val_auc", np.nan), "val_embedding_rank": row.get("val_embedding_rank", np.inf)}
    constant = row["largest_share"] >= CONSTANT
    if stage == "pretext":
        confusion = column(7, n // 7) if constant else balanced(round(row["val_accuracy"] * n), n)
    else:
        # eegmat has about three windows of rest to one of arithmetic.
        confusion = column(2, (3 * n // 4, n // 4)) if constant else np.full((2, 2), n // 4)
    return EpochResult(int(row["epoch"]), row["lr"], metrics, 0.0, 0.0, confusion, lambda: None)


def injected(kind, epoch, stage, n, rng):
    """The epoch, had the network collapsed."""
    metrics = dict(epoch.metrics)
    if kind == "constant":
        confusion = column(7, n // 7) if stage == "pretext" else column(2, (3 * n // 4, n // 4))
        metrics["val_auc"] = 0.5
    elif kind == "guessing":
        confusion = balanced(int(rng.binomial(n, 1 / 7)), n)
    else:
        confusion, metrics["val_embedding_rank"] = epoch.confusion, 1.0
    return replace(epoch, confusion=confusion, metrics=metrics)


def symptom_of(stage):
    """The stage's symptom, of an epoch."""
    if stage == "pretext":
        return lambda epoch: pretext_symptom(epoch, CLASSES)
    return lambda epoch: emotion_symptom(epoch, ("no", "yes"))


def caught(epochs, symptom):
    """The number of the epoch at which the watch stops the trial, or None."""
    watch = CollapseWatch(symptom)
    return next((epoch.epoch for epoch in epochs if watch.see(epoch)), None)


def had_its_chance(epochs, symptom):
    """The first epoch after which a collapse would be stopped; past the last where there is none."""
    watch = CollapseWatch(symptom)
    for epoch in epochs:
        watch.see(epoch)
        if watch.memory["was_well"] or epoch.epoch >= CHANCE_EPOCHS:
            return epoch.epoch
    return len(epochs)


def share(hits, n):
    """A share with its interval."""
    low = beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
    return {"of": n, "count": hits, "share": hits / max(n, 1), "low": float(low), "high": float(high)}


def measure(path, injections, rng):
    """One table."""
    stage, table = path.stem, pd.read_parquet(path)
    n = counted_by(table["val_accuracy"].dropna().to_numpy()) if stage == "pretext" else 400
    symptom = symptom_of(stage)
    curves = []
    for _, rows in table.groupby("configuration"):
        epochs = [result(stage, row, n) for row in rows.to_dict("records") if np.isfinite(row["val_loss"])]
        if len(epochs) == rows["epoch"].max():
            curves.append(epochs)
    sound = [epochs for epochs in curves if not symptom(epochs[-1])]
    stopped = sum(caught(epochs, symptom) is not None for epochs in sound)
    ill = [epochs for epochs in curves if symptom(epochs[-1])]
    risen = [epochs for epochs in sound if had_its_chance(epochs, symptom) <= len(epochs) - IN_TIME]
    by_themselves = sum(caught(epochs, symptom) is not None for epochs in ill)
    rows = {
        "sound trials stopped": share(stopped, len(sound)),
        "trials that end with a symptom, stopped": share(by_themselves, len(ill)),
    }
    for kind in KINDS[stage]:
        hits, late = 0, 0
        for _ in range(injections):
            epochs = risen[rng.integers(len(risen))]
            at = int(rng.integers(had_its_chance(epochs, symptom), len(epochs) - IN_TIME + 1))
            ill_ones = epochs[:at] + [injected(kind, epoch, stage, n, rng) for epoch in epochs[at:]]
            when = caught(ill_ones, symptom)
            hits += when is not None and at < when <= at + IN_TIME
            late += when is not None and when > at + IN_TIME
        rows[f"injected {kind}: caught within {IN_TIME} epochs"] = share(hits, injections)
        rows[f"injected {kind}: caught later"] = share(late, injections)
    return rows


def main():
    """Command line."""
    parser = arguments(__doc__)
    parser.add_argument(
        "--tables", type=Path, nargs="+", default=[CURVES / "pretext.parquet", CURVES / "emotion.parquet"]
    )
    parser.add_argument("--injections", type=int, default=1000)
    options = parser.parse_args()
    found = provenance()
    figures = {}
    for path in options.tables:
        figures[path.stem] = measure(path, options.injections, np.random.default_rng(0))
        for what, row in figures[path.stem].items():
            print(f"{path.stem}: {what}: {row['count']} of {row['of']}, {100 * row['share']:.1f} % "
                  f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]")  # fmt: skip
    save("collapse_detector", {"tables": figures}, found, options.out)


if __name__ == "__main__":
    main()
