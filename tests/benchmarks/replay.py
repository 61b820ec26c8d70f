"""Replay a search over recorded learning curves, in simulated time and with parallel workers.

Workers train epoch by epoch, and each epoch takes the seconds that were recorded for it. A worker that is free asks
the search for something to train at once; where there is nothing, it asks again after the next epoch of any other.
The incumbent is the best score of all epochs finished so far: the model that the sweep would give out at that moment.
"""

import heapq
import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np


class Work(NamedTuple):
    """A trial to train: its key, its row in the table, the epochs it has behind it, and whether they are repeated."""

    trial: str
    row: int
    done: int
    again: bool = False


class Search(Protocol):
    """A search method, searcher and scheduler together."""

    def following(self, *, idle: bool) -> Work | None:
        """What a free worker is to train; None where there is nothing. `idle`: no worker trains anything."""

    def epoch(self, trial: str, epoch: int, score: float) -> bool:
        """Take in an epoch; whether the trial goes on at once on its worker."""


@dataclass(frozen=True)
class Replayed:
    """What a search did.

    Args:
        times: simulated seconds at which the incumbent became better.
        scores: the incumbent from then on.
        end: simulated seconds at the end of the run.
        epochs: trained in all.
        trials: begun in all.
        distinct: configurations among them.
    """

    times: np.ndarray
    scores: np.ndarray
    end: float
    epochs: int
    trials: int
    distinct: int

    def reached(self, target):
        """Seconds until the incumbent was at the target; infinite where it never was."""
        there = np.flatnonzero(self.scores >= target)
        return float(self.times[there[0]]) if there.size else math.inf


def replay(table, search, *, workers, horizon, start_cost=0.0, free_repeats=False, max_trials=None, enough=math.inf):
    """Run a search until it has nothing left, time is up, or the incumbent is good enough.

    Args:
        table: the curves.
        search: the method, fresh.
        workers: trials side by side.
        horizon: simulated seconds.
        start_cost: simulated seconds for each beginning and each going on after a pause.
        free_repeats: epochs of a configuration that some trial has trained before cost nothing.
        enough: a score, at most the table's best, behind which nothing is of interest.
        max_trials: the run is cut short when more than so many have begun.
    """
    running, order, free = [], itertools.count(), workers
    known = np.zeros(len(table.scores), dtype=int)
    begun, rows = set(), set()
    now, best, trained = 0.0, -math.inf, 0
    times, scores = [], []

    def begin(work, epoch, extra):
        cost = 0.0 if free_repeats and epoch <= known[work.row] else table.seconds[work.row, epoch - 1] + extra
        heapq.heappush(running, (now + cost, next(order), work, epoch))

    while best < min(enough, table.best):
        while free and (work := search.following(idle=not running)) is not None:
            begun.add(work.trial)
            rows.add(work.row)
            free -= 1
            repeated = float(table.seconds[work.row, : work.done].sum()) if work.again else 0.0
            begin(work, work.done + 1, start_cost + repeated)
        if max_trials is not None and len(begun) > max_trials:
            break
        if not running:
            break
        if running[0][0] > horizon:
            now = horizon
            break
        now, _, work, epoch = heapq.heappop(running)
        score = float(table.scores[work.row, epoch - 1])
        trained += 1
        known[work.row] = max(known[work.row], epoch)
        if score > best:
            best = score
            times.append(now)
            scores.append(score)
        if search.epoch(work.trial, epoch, score):
            begin(work, epoch + 1, 0.0)
        else:
            free += 1
    return Replayed(np.array(times), np.array(scores), now, trained, len(begun), len(rows))
