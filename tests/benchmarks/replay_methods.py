"""The search methods of the replay: the real classes behind the replay's `Search`.

`StockRay` drives Ray's searcher and scheduler as Ray 2.60's `TuneController` does, read in its source: the searcher is
wrapped in a `ConcurrencyLimiter`; an epoch goes to the scheduler first, and to the searcher only if the trial goes on;
a trial that ends is told to both as complete, with its last result. `Ours` drives the sweep's own study and scheduler
as the sweep does.
"""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import optuna
from optuna.samplers import RandomSampler
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch
from replay import Work

from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.sampling import suggest
from ecgtune.sweep.schedulers.protocol import Verdict
from ecgtune.sweep.study import SweepStudy
from ecgtune.sweep.waiting import WaitingTrials


class StockRay:
    """`OptunaSearch` with ASHA or with no scheduler, both with their own defaults unless told otherwise.

    Args:
        table: the curves.
        workers: the limit of concurrent trials.
        seed: of the sampler.
        random: a random sampler instead of Optuna's default, TPE.
        asha: `AsyncHyperBandScheduler`; else every trial runs to its end.
        grace: its grace period in epochs; None leaves its own default.
    """

    def __init__(self, table, workers, seed, *, random=False, asha=True, grace=None):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._table = table

        def space(trial):
            suggest(trial, table.space)

        sampler = {"sampler": RandomSampler(seed=seed)} if random else {"seed": seed}
        searcher = OptunaSearch(space=space, metric="score", mode="max", **sampler)
        self._searcher = ConcurrencyLimiter(searcher, workers)
        self._scheduler = FIFOScheduler()
        if asha:
            given = {} if grace is None else {"grace_period": grace}
            self._scheduler = AsyncHyperBandScheduler(metric="score", mode="max", max_t=table.epochs, **given)
        self._count = itertools.count()

    def following(self, *, idle):
        trial = f"{next(self._count):05d}"
        found = self._searcher.suggest(trial)
        if found is None:
            return None
        self._scheduler.on_trial_add(None, SimpleNamespace(trial_id=trial))
        return Work(trial, self._table.row(_flat(found)), 0)

    def epoch(self, trial, epoch, score):
        result = {"score": score, "training_iteration": epoch, "trial_id": trial}
        known = SimpleNamespace(trial_id=trial)
        decision = self._scheduler.on_trial_result(None, known, result)
        goes_on = decision == TrialScheduler.CONTINUE
        if goes_on:
            self._searcher.on_trial_result(trial, result)
        if goes_on and epoch < self._table.epochs:
            return True
        self._scheduler.on_trial_complete(None, known, result)
        self._searcher.on_trial_complete(trial, result=result)
        return False


class Ours:
    """`SweepStudy` with one of the sweep's schedulers.

    Args:
        table: the curves.
        folder: for the study's journal; empty.
        space: the table's space with the searcher's name in its settings.
        num_samples: trials in all.
        seed: of the sweep.
        scheduler: what decides; see `ecgtune.sweep.schedulers.protocol`.
    """

    def __init__(self, table, folder, space, num_samples, seed, scheduler):
        folder.mkdir(parents=True, exist_ok=True)
        self._table, self._scheduler = table, scheduler
        self._sign = 1.0 if space.settings.mode == "max" else -1.0
        self._study = SweepStudy(folder / "study.journal", space, num_samples=num_samples, seed=seed)
        self._rows, self._curves, self._told = {}, {}, {}
        # Of the paused trials some lose their states, and begin again when they are woken.
        self._waiting, self._stateless = WaitingTrials(SweepFolder(folder), "max"), set()

    def following(self, *, idle):
        woken = self._scheduler.wake(idle=False)
        asked = None if woken is not None else self._study.ask()
        if woken is None and asked is None:
            woken = self._scheduler.wake(idle=idle)
        if woken is not None:
            self._waiting.remove(woken)
            again = woken in self._stateless
            self._stateless.discard(woken)
            return Work(woken, self._rows[woken], len(self._curves[woken]), again)
        if asked is None:
            return None
        trial, parameters = asked
        self._rows[trial], self._curves[trial], self._told[trial] = self._table.row(parameters), [], 0
        return Work(trial, self._rows[trial], 0)

    def epoch(self, trial, epoch, score):
        self._curves[trial].append(score)
        if not math.isfinite(score):
            self._end(trial, "FAILED", "nan")
            return False
        verdict = self._scheduler.tell(trial, epoch, score)
        if epoch == self._table.epochs:
            self._end(trial, "COMPLETE", "")
            return False
        if epoch in self._scheduler.milestones:
            self._report(trial)
        if verdict is Verdict.STOP:
            self._end(trial, "PRUNED", self._scheduler.reason)
        if verdict is Verdict.PAUSE:
            self._stateless.update(self._waiting.add(trial, epoch, score))
        return verdict is Verdict.GO_ON

    def _report(self, trial):
        """What the study has not been told yet: workers report in blocks, and at milestones at once."""
        first, curve = self._told[trial], self._curves[trial]
        self._study.report(trial, {epoch + 1: self._sign * curve[epoch] for epoch in range(first, len(curve))})
        self._told[trial] = len(curve)

    def _end(self, trial, state, reason):
        self._report(trial)
        score = self._sign * float(np.nanmax(self._curves[trial])) if state == "COMPLETE" else None
        self._study.finish(trial, state, reason, score)
        self._scheduler.ended(trial)


class OneEpoch:
    """Train `candidates` for one epoch each, then the best K of them to the end, the best first
    (Egele et al. 2023, arXiv 2307.15422).

    Args:
        table: the curves.
        seed: of the order in which the candidates come; none comes twice.
        k: how many are trained to the end.
        candidates: how many are tried; None for the whole table.
    """

    def __init__(self, table, seed, *, k, candidates=None):
        rows = np.random.default_rng(seed).permutation(len(table.scores))[:candidates]
        self._table, self._k = table, k
        self._waiting = [Work(str(row), int(row), 0) for row in rows]
        self._first, self._left = {}, len(rows)
        self._chosen = None

    def following(self, *, idle):
        if self._waiting:
            return self._waiting.pop(0)
        if self._left:
            return None
        if self._chosen is None:
            best = sorted(self._first, key=lambda trial: -self._first[trial])[: self._k]
            self._chosen = [Work(trial, int(trial), 1) for trial in best]
        return self._chosen.pop(0) if self._chosen else None

    def epoch(self, trial, epoch, score):
        if epoch == 1:
            self._first[trial] = score if math.isfinite(score) else -math.inf
            self._left -= 1
            return False
        return epoch < self._table.epochs


def _flat(nested, prefix=""):
    """Slash names, out of the nested dictionaries that Ray makes of them."""
    found = {}
    for name, value in nested.items():
        found |= _flat(value, f"{prefix}{name}/") if isinstance(value, dict) else {prefix + name: value}
    return found
