"""A Gaussian process over configurations that learns from stopped trials, too.

Optuna's own sampler learns from complete trials only, of which a sweep with a scheduler has few; parameters that are
in play only sometimes it draws at random; and it needs seconds where a trial of the emotion stage needs one.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import ThreadpoolController

from ecgtune.config import Scalar
from ecgtune.space import SearchSpace
from ecgtune.sweep.candidates import candidates
from ecgtune.sweep.encoding import encode
from ecgtune.sweep.gaussian import fit, log_expected_improvement
from ecgtune.sweep.outlook import outlook
from ecgtune.sweep.points import point_key
from ecgtune.training.cost import cost

# With fewer trials to learn from, configurations are drawn at random.
_ENOUGH = 8
_GOOD = 5
# Of more trials not all are learnt from: the time grows with their third power.
_MOST = 500
# The worst share of the trials count as equally bad: how bad a network is that never learnt tells nothing.
_BAD = 0.1
# No epoch counts as worse than so many times the distance of the trials' quartiles below the lower one.
_FENCE = 3.0
# Expected improvement is divided by this power of the cost.
_THRIFT = 0.5


class GpSampler(BaseSampler):
    """Draws the configuration with the largest expected improvement over the best trial for its price.

    The price is the square root of what an epoch costs. By the cost itself (Snoek et al. 2012, arXiv 1206.2944) a kind
    of configuration that costs a thousand times the others, such as a network trained whole, would hardly be tried.

    The value of a trial is its `outlook`. Trials that fail through their own fault are as bad as the worst; of those
    that have not finished an epoch the process believes its own prediction.

    Args:
        seed: of this one draw.
        space: what to draw from.
    """

    def __init__(self, seed: int, space: SearchSpace) -> None:
        self._seed, self._space = seed, space
        self._random = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing that Optuna has to know: conditional parameters are drawn together with the others."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The point to try; nothing as long as there is too little to learn from, or where all has been tried."""
        trials = study.get_trials(deepcopy=False)
        told = [each for each in trials if each.state in _TOLD and _told(each)]
        if len(told) < _ENOUGH:
            return {}
        values = self._values(told, study.direction)
        order = np.argsort(-values, kind="stable")
        best_first = [told[place].params for place in order[:_GOOD]]
        if len(told) > _MOST:  # the best ones, and the newest
            chosen = sorted({*order[: _MOST // 5].tolist(), *range(len(told) - _MOST * 4 // 5, len(told))})
            told, values = [told[place] for place in chosen], values[chosen]
        offered = candidates(self._space, best_first, np.random.default_rng(self._seed))
        pending = [each for each in trials if each.state == TrialState.RUNNING and not _told(each)]
        # Trials are trained beside this process: threads that wait for a core make it slower, not faster.
        with _pools().limit(limits=1):
            process = fit(self._encoded([each.params for each in told]), values)
            process = process.believing(self._encoded([each.params for each in pending]))
            mean, deviation = process.predict(self._encoded(offered))
        hope = log_expected_improvement(mean, deviation, float(values.max())) - _THRIFT * self._log_costs(offered)
        tried = {point_key(self._space, each.params) for each in trials}
        promising = (offered[place] for place in np.argsort(-hope, kind="stable"))
        return next((point for point in promising if point_key(self._space, point) not in tried), {})

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _log_costs(self, points: Sequence[dict[str, Scalar]]) -> NDArray[np.float64]:
        """[n] the logarithm of what an epoch of each costs, up to a constant."""
        fixed, stage = self._space.fixed, self._space.settings.stage
        return np.log([cost(stage, {**fixed, **point}) for point in points])

    def _encoded(self, points: Sequence[dict[str, Scalar]]) -> NDArray[np.float64]:
        return encode(self._space.parameters, points)

    def _values(self, told: Sequence[FrozenTrial], direction: StudyDirection) -> NDArray[np.float64]:
        """[n] how good each trial is, higher is better."""
        sign = -1.0 if direction == StudyDirection.MINIMIZE else 1.0
        curves = {place: sign * _curve(each) for place, each in enumerate(told) if each.intermediate_values}
        if not curves:
            return np.zeros(len(told))
        # One epoch that diverged would otherwise count as growth that every trial has before it.
        low, high = np.quantile([curve.max() for curve in curves.values()], [0.25, 0.75])
        fenced = [np.maximum(curve, low - _FENCE * (high - low)) for curve in curves.values()]
        reached = outlook(fenced, self._space.settings.max_epochs)
        values = np.full(len(told), reached.min())
        values[list(curves)] = reached
        return np.asarray(np.maximum(values, np.quantile(values, _BAD)))


@cache
def _pools() -> ThreadpoolController:
    """The libraries that compute in threads of their own."""
    return ThreadpoolController()


_TOLD = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def _told(trial: FrozenTrial) -> bool:
    """Whether anything is known of a trial; one that was pruned before it got anywhere is known to be bad."""
    return bool(trial.intermediate_values) or trial.state == TrialState.PRUNED


def _curve(trial: FrozenTrial) -> NDArray[np.float64]:
    """The scores in the order of the epochs."""
    return np.array([score for _, score in sorted(trial.intermediate_values.items())])
