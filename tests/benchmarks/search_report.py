"""Write the table and the plots of the search comparison, from `search.json`.

    python tests/benchmarks/search_report.py [--out results/curves]

The table goes into README.md between its markers. Ratios are of mean times, with 95 % intervals from 5,000 bootstrap
resamples of the seeds of either method (unpaired: a seed means nothing across methods).
"""

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
from common import REPOSITORY
from search_methods import DEFAULT, RANDOM, STOCK

from ecgtune.files import replaced, write_text

mpl.use("Agg")
from matplotlib import pyplot as plt

CURVES = REPOSITORY / "results" / "curves"
BEGIN, END = "<!-- table: tests/benchmarks/search_report.py -->", "<!-- end of table -->"
# What the plots show, in this order; the tables have all.
SHOWN = (RANDOM, "random, ASHA", STOCK, "one epoch, then top 3", "one epoch, then top 10", DEFAULT)
HEAD = (
    "| method | seconds, median (quartiles) | mean | not reached | stock / it | random / it | stock / it at 2 % "
    "| at 5 % | trials | different |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def charged(entry, percent=1):
    """Seconds of every seed, censored ones at the end of their run."""
    pairs = zip(entry["reached"][str(percent)], entry["ends"], strict=True)
    return np.array([end if time is None else time for time, end in pairs])


def ratio(base, ours, *, resamples=5000):
    """The ratio of mean seconds and its 95 % interval; above 1 where ours is faster."""
    rng = np.random.default_rng(0)
    means = [
        rng.choice(values, (resamples, len(values))).mean(axis=1) for values in (np.asarray(base), np.asarray(ours))
    ]
    low, high = np.percentile(means[0] / means[1], [2.5, 97.5])
    return float(np.mean(base) / np.mean(ours)), float(low), float(high)


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
        order = sorted(methods, key=lambda method: methods[method]["mean"])
        written += [f"| {' | '.join(cells(method, methods))} |" for method in order]
        written.append("")
    return written


def cells(method, methods):
    """One method's line."""
    entry = methods[method]
    times = charged(entry)
    low, middle, high = np.percentile(times, [25, 50, 75])
    missed = entry["censored"]
    return [
        f"**{method}**" if method == DEFAULT else method,
        f"{middle:,.3g} ({low:,.3g} to {high:,.3g})",
        f"{times.mean():,.3g}",
        f"{missed} of {len(times)}" if missed else "0",
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
    middle, low, high = ratio(charged(methods[base], percent), charged(methods[method], percent))
    return f"{middle:.2g} ({low:.2g} to {high:.2g})"


def plot(name, table, file):
    """Regret against time, median and quartiles; and the share of seeds that are within 1 %."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    shown = [method for method in SHOWN if method in table["methods"]]
    for number, method in enumerate(shown):
        entry, colour = table["methods"][method], f"C{number}"
        width = 2.4 if method == DEFAULT else 1.3
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
    left.legend(fontsize=8, loc="lower left")
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
