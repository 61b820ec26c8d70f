"""What a new trial is to try: what the searcher draws, and never what an earlier trial has tried."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from ecgtune.config import Scalar
from ecgtune.space import SearchSpace
from ecgtune.sweep.finite import listed_points
from ecgtune.sweep.points import Key, point_key
from ecgtune.sweep.sampling import SEARCHERS, draw
from ecgtune.sweep.schedulers import SCHEDULERS
from ecgtune.sweep.seen import SeenStudy, honest

# So often the searcher is asked for something new; it may be certain of what it wants.
_SEARCHER_DRAWS = 5
# A space that has so many points that it cannot be listed is not exhausted by as many random draws.
_RANDOM_DRAWS = 1000


class Proposals:
    """Draws configurations, each from the sweep's seed and the trial's number alone.

    Args:
        space: what to draw from, and with which searcher.
        seed: of the sweep.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        settings = space.settings
        self._space, self._seed = space, seed
        self._sampler = SEARCHERS[settings.searcher]
        self._pauses = SCHEDULERS[settings.scheduler](settings, settings.max_epochs).pauses
        self._seen = SeenStudy("minimize" if settings.mode == "min" else "maximize")
        self._keys: dict[int, Key] = {}

    def propose(
        self, number: int, earlier: Sequence[FrozenTrial], given: Mapping[str, Scalar] | None = None
    ) -> dict[str, Scalar] | None:
        """The parameters of a new trial, without the fixed ones.

        Args:
            number: of the trial.
            earlier: the trials handed out before, in the order of their numbers.
            given: parameters that are settled; passed over if all that agrees with them has been tried.

        Returns:
            A point that no earlier trial has; None where all points have been tried.
        """
        tried = {self._key(trial) for trial in earlier}
        self._seen.shown = honest(earlier, paused=self._pauses)
        for settled in (given, {}) if given else ({},):
            for point in self._candidates(number, settled):
                if point_key(self._space, point) not in tried:
                    return point
        return None

    def _candidates(self, number: int, given: Mapping[str, Scalar]) -> Iterator[dict[str, Scalar]]:
        """What might be tried, the best first."""
        if self._sampler is not None:
            for attempt in range(_SEARCHER_DRAWS):
                yield self._draw(self._sampler(self._draw_seed(number, attempt), self._space), number, given)
        if self._listed is not None:
            for point in self._listed:
                if all(point.get(name, value) == value for name, value in given.items()):
                    yield point
            return
        for attempt in range(_SEARCHER_DRAWS, _SEARCHER_DRAWS + _RANDOM_DRAWS):
            yield self._draw(RandomSampler(seed=self._draw_seed(number, attempt)), number, given)

    def _draw(self, sampler: BaseSampler, number: int, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
        return draw(sampler, self._seen, number, self._space, given)

    def _draw_seed(self, number: int, attempt: int) -> int:
        entropy = [self._seed, number, attempt] if attempt else [self._seed, number]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])

    @cached_property
    def _listed(self) -> list[dict[str, Scalar]] | None:
        """All points in an order drawn from the seed; None where there are too many."""
        listed = listed_points(self._space)
        if listed is None:
            return None
        order = np.random.default_rng([self._seed, len(listed)]).permutation(len(listed))
        return [listed[place] for place in order]

    def _key(self, trial: FrozenTrial) -> Key:
        # A trial's parameters are complete from the moment that it is handed out.
        if trial.number not in self._keys:
            self._keys[trial.number] = point_key(self._space, trial.params)
        return self._keys[trial.number]
