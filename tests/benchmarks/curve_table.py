"""Recorded learning curves as arrays, for replays: see `record_curves.py` for where they come from."""

import itertools
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecgtune.space import read_space
from ecgtune.space.grid import points
from ecgtune.space.settings import METRICS


@dataclass(frozen=True)
class CurveTable:
    """Every configuration of a space with its whole curve.

    Args:
        name: of the table.
        space: what was recorded, the metric and its direction included.
        scores: `[configurations, epochs]`, higher is better; NaN where a run diverged.
        seconds: `[configurations, epochs]`, what each epoch cost.
        rows: a configuration's drawn parameters, as `key` gives them -> its row.
    """

    name: str
    space: object
    scores: np.ndarray
    seconds: np.ndarray
    rows: dict

    @property
    def epochs(self):
        return self.scores.shape[1]

    @property
    def best(self):
        """The best score of any epoch of any configuration."""
        return float(np.nanmax(self.scores))

    def target(self, percent=1):
        """So many per cent from the best, relative to it."""
        return self.best - percent / 100 * abs(self.best)

    def row(self, parameters):
        """The row of a configuration; fixed parameters may be among them."""
        return self.rows[self.key(parameters)]

    def key(self, parameters):
        drawn = {parameter.name for parameter in self.space.parameters}
        return tuple(sorted((name, value) for name, value in parameters.items() if name in drawn))


def read_table(space_file, partial=None):
    """The table beside a space file, or one from the files of a recording that still runs.

    Args:
        space_file: `NAME.toml`, beside `NAME.parquet`.
        partial: a folder of `record_curves.py --partial`; configurations that are missing there have no row.
    """
    space = read_space(space_file)
    if partial is None:
        frame = pd.read_parquet(space_file.with_suffix(".parquet"))
    else:
        files = sorted((partial / space_file.stem).glob("*.json"))
        frame = pd.DataFrame(itertools.chain.from_iterable(json.loads(file.read_text()) for file in files))
    return table(space_file.stem, space, frame)


def table(name, space, frame):
    """A table from rows of configuration, epoch, metrics and seconds.

    A curve that ends early, because its run diverged, goes on as NaN at the cost of its last epoch: no search asks
    for those epochs, since a score that is not finite ends a trial.
    """
    metric = space.settings.metric
    sign = 1.0 if METRICS[space.settings.stage][metric] == "max" else -1.0
    scores = frame.pivot_table(index="configuration", columns="epoch", values=metric, dropna=False) * sign
    seconds = frame.pivot_table(index="configuration", columns="epoch", values="seconds").ffill(axis=1)
    grid = list(points(space.parameters, space.fixed))
    filled = CurveTable(name, space, scores.to_numpy(float), seconds.to_numpy(float), {})
    filled.rows.update({filled.key(grid[number]): row for row, number in enumerate(scores.index)})
    return filled
