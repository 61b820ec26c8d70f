"""How do time and memory grow with windows, people and trials? In proportion or not at all, without a step.

    python tests/benchmarks/scale.py [--windows 1000 10000 100000] [--people 5 50 500] [--trials 20 100 400]

Each axis is varied alone: windows with 50 people, people with 10,000 windows, trials without any training. Windows are
generated. The exponent is the slope of a straight line through the logarithms of size and cost: 0 is flat, 1 is in
proportion. The last exponent is that between the two largest sizes, where fixed costs weigh least: one that is well
above 1 is a cost that grows faster than the data. Embedding is measured on few windows, since its cost per window is
what matters. Compared is the largest size with the one before, had it grown in proportion: a ratio of 1 is linear,
one above 1 better than that.
"""

import tempfile
from pathlib import Path

import numpy as np
from common import arguments, compared, provenance, save
from common import show as show_all
from quantities import of_data, of_embedding, of_trials

PEOPLE, WINDOWS = 50, 10_000
SEARCHERS = ("random", "tpe")


def exponent(sizes, costs):
    """The slope of log cost over log size."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def rows(axis, sizes, found):
    """One row per quantity: its cost at every size, and how it grows."""
    made = []
    for name in found[0]:
        costs = [costs[name] for costs in found]
        last = exponent(sizes[-2:], costs[-2:])
        row = {"axis": axis, "quantity": name, "sizes": sizes, "costs": costs}
        made.append(row | {"exponent": round(exponent(sizes, costs), 2), "last_exponent": round(last, 2)})
    return made


def benchmark(folder, *, windows, people, trials, embedded, fixed_people, fixed_windows, seconds):
    """All rows; everything is written below `folder`, two sizes at least per axis."""
    axes = {
        "windows": (windows, lambda place, n: of_data(place, n, fixed_people, seconds)),
        "people": (people, lambda place, n: of_data(place, fixed_windows, n, seconds)),
        "embedded windows": (embedded, of_embedding),
        "trials": (trials, lambda place, n: _trials(place, n)),
    }
    found = []
    for axis, (sizes, measure) in axes.items():
        costs = []
        for size in sizes:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                costs.append(measure(Path(place) / "measured", size))
        more = rows(axis, sizes, costs)
        show(more)
        found += more
    return found


def show(made):
    """Print the rows of one axis."""
    sizes = "".join(f"{size:>11}" for size in made[0]["sizes"])
    print(f"\n{made[0]['axis']:34}{sizes}   exponent   last")
    for row in made:
        costs = "".join(f"{cost:11.4g}" for cost in row["costs"])
        print(f"{row['quantity']:34}{costs} {row['exponent']:10.2f} {row['last_exponent']:6.2f}", flush=True)


def against_proportion(row):
    """The cost of the largest size, and that of the one before times the ratio of the sizes."""
    *_, before, largest = row["sizes"]
    *_, cost, ours = row["costs"]
    quantity, _, unit = row["quantity"].rpartition(", ")
    what = f"{quantity}: {largest:,} {row['axis']} and {before:,}, in proportion"
    return compared(what, ours, cost * largest / before, unit, less_is_better=True)


def _trials(place, n):
    found = {}
    for searcher in SEARCHERS:
        found |= of_trials(place / searcher / "sweep", n, searcher)
    return found


def main():
    parser = arguments(__doc__)
    parser.add_argument("--windows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--people", type=int, nargs="+", default=[5, 50, 500])
    parser.add_argument("--trials", type=int, nargs="+", default=[20, 100, 400])
    parser.add_argument("--embedded", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--seconds", type=float, default=0.5, help="for the repeats of each short measurement")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made; it takes 1 GB")
    options = parser.parse_args()
    where = provenance()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        found = benchmark(
            Path(temporary),
            windows=options.windows,
            people=options.people,
            trials=options.trials,
            embedded=options.embedded,
            fixed_people=PEOPLE,
            fixed_windows=WINDOWS,
            seconds=options.seconds,
        )
    comparisons = [against_proportion(row) for row in found]
    show_all(comparisons)
    steepest = max(found, key=lambda row: row["last_exponent"])
    print(f"\nsteepest: {steepest['quantity']} over {steepest['axis']}, {steepest['last_exponent']:.2f}")
    save("scale", {"comparisons": comparisons, "rows": found}, where, options.out)


if __name__ == "__main__":
    main()
