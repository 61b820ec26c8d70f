"""Write the table and the plots of the search comparison, from `search.json`.

    python tests/benchmarks/search_report.py [--out results/curves]

The table goes into README.md between its markers. The expected time is that of COCO (Hansen et al. 2021, arXiv
1603.08785): what all seeds spent, divided by the number of those that got there, as if a search that did not were begun
anew; where none got there, a third of all that was spent is a 95 % lower bound of it. Ratios are of expected times,
with 95 % intervals from 5,000 bootstrap resamples of the seeds of either method (unpaired: a seed means nothing across
methods).
"""

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
from common import REPOSITORY
from search_methods import DEFAULTS, RANDOM, STOCK
from summary import number

from ecgtune.files import replaced, write_text

mpl.use("Agg")
from matplotlib import pyplot as plt

CURVES = REPOSITORY / "results" / "curves"
BEGIN, END = "<!-- table: tests/benchmarks/search_report.py -->", "<!-- end of table -->"
# What the plots show, in this order; the tables have all.
SHOWN = (RANDOM, "random, ASHA", STOCK, "one epoch, then top 3", "one epoch, then top 10", *DEFAULTS.values())
HEAD = (
    "| method | expected seconds | quartiles and median | not reached | stock / it | random / it | stock / it at 2 % "
    "| at 5 % | trials | different |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def spent(entry, percent=1):
    """Seconds that every seed spent, and whether it got there."""
    reached = np.array([np.inf if time is None else time for time in entry["reached"][str(percent)]])
    return np.minimum(reached, entry["ends"]), np.isfinite(reached)


def expected(seconds, there):
    """The expected time to the target, along the last axis; a lower bound where no seed got there: three in n is the
    95 % bound of a share of which n draws have shown nothing.
    """
    successes = there.sum(axis=-1)
    return seconds.sum(axis=-1) / np.where(successes == 0, 3, successes)


def ratio(base, ours, *, resamples=5000):
    """The ratio of expected times and its 95 % interval; above 1 where ours is faster.

    Args:
        base: of `spent`.
        ours: of `spent`.
        resamples: of the bootstrap.
    """
    rng = np.random.default_rng(0)

    def resampled(seconds, there):
        chosen = rng.integers(len(seconds), size=(resamples, len(seconds)))
        found = expected(seconds[chosen], there[chosen])
        # A resample without a success says that it takes long, not how long.
        return np.where(there[chosen].any(axis=-1), found, np.inf)

    with np.errstate(invalid="ignore"):
        low, high = np.percentile(resampled(*base) / resampled(*ours), [2.5, 97.5])
    return float(expected(*base) / expected(*ours)), float(low), float(high)


def lines(tables):
    """The lines of the table, one part per table and number of workers."""
    written = []
    for name, table in tables.items():
        methods = table["methods"]
        written += [
            f"### {name}",
            "",
            f"{table['configurations']} configurations of {table['epochs']} epochs; best {abs(table['best']):.4f}; "
            f"{', '.join(f'{count} within {percent} %' for percent, count in table['within'].items())}. "
            f"Training them all takes {table['horizon']:,.0f} s, a clairvoyant {table['clairvoyant']:,.3g} s.",
            "",
            *HEAD,
        ]
        order = sorted(methods, key=lambda method: expected(*spent(methods[method])))
        written += [f"| {' | '.join(cells(method, methods, DEFAULTS[table['table']]))} |" for method in order]
        written.append("")
    return written


def cells(method, methods, default):
    """One method's line; the default's in bold."""
    entry = methods[method]
    seconds, there = spent(entry)
    missed = len(there) - there.sum()
    quartiles = np.percentile(np.where(there, seconds, np.inf), [25, 50, 75], method="lower")
    return [
        f"**{method}**" if method == default else method,
        f"{'' if there.any() else '> '}{number(expected(seconds, there))}",
        ", ".join(f"{value:,.3g}" if np.isfinite(value) else "-" for value in quartiles),
        f"{missed} of {len(there)}" if missed else "0",
        *(
            shown_ratio(methods, base, method, percent)
            for base, percent in ((STOCK, 1), (RANDOM, 1), (STOCK, 2), (STOCK, 5))
        ),
        f"{entry['trials']:.0f}",
        f"{entry['distinct']:.0f}",
    ]


def shown_ratio(methods, base, method, percent):
    """A ratio with its interval, or nothing where it is the method itself."""
    if base not in methods or base == method:
        return ""
    theirs, mine = spent(methods[base], percent), spent(methods[method], percent)
    if not mine[1].any():
        return ""
    middle, low, high = ratio(theirs, mine)
    if np.isnan(low):  # neither got there often enough for an interval
        return number(middle)
    if not theirs[1].any():
        return f"> {number(middle)}"
    if not np.isfinite(high):
        return f"{number(middle)} (> {number(low)})"
    return f"{number(middle)} ({number(low)} to {number(high)})"


def plot(name, table, file):
    """Regret against time, median and quartiles; and the share of seeds that are within 1 %."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    shown = [method for method in SHOWN if method in table["methods"]]
    for place, method in enumerate(shown):
        entry, colour = table["methods"][method], f"C{place}"
        width = 2.4 if method == DEFAULTS[table["table"]] else 1.3
        low, middle, high = (100 * np.array(row) for row in entry["regret_quartiles"])
        left.plot(table["times"], middle, color=colour, label=method, linewidth=width)
        left.fill_between(table["times"], low, high, color=colour, alpha=0.12, linewidth=0)
        reached = np.sort([time for time in entry["reached"]["1"] if time is not None])
        share = 100 * np.arange(len(reached) + 1) / len(entry["ends"])
        right.step(
            np.concatenate([[table["times"][0]], reached, [table["horizon"]]]),
            np.concatenate([share, share[-1:]]),
            where="post",
            color=colour,
            linewidth=width,
        )
    left.set(ylabel="regret, % of the best score", ylim=(0, 100))
    left.set_yscale("symlog", linthresh=1)
    left.axhline(1, color="grey", linewidth=0.8, linestyle=":")
    right.set(ylabel="% of seeds within 1 % of the best", ylim=(0, 101))
    for axes in (left, right):
        axes.set(xlabel="simulated seconds", xscale="log", xlim=(table["times"][0], table["horizon"]))
        axes.grid(alpha=0.25)
    left.legend(fontsize=8, loc="upper right")
    figure.suptitle(f"{name}, {len(table['methods'][shown[0]]['ends'])} seeds")
    with replaced(file) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=CURVES, help="the folder of search.json")
    options = parser.parse_args()
    tables = json.loads((options.out / "search.json").read_text(encoding="utf-8"))["tables"]
    readme = options.out / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    write_text(readme, "\n".join([before + BEGIN, "", *lines(tables), END]) + rest.partition(END)[2])
    for name, table in tables.items():
        plot(name, table, options.out / f"search_{table['table']}_{table['workers']}.png")
        print(f"{name}: search_{table['table']}_{table['workers']}.png")


if __name__ == "__main__":
    main()
