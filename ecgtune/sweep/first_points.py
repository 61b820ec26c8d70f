"""What a sweep tries first: the default configuration, and what won in earlier sweeps."""

from collections.abc import Sequence

import numpy as np
from optuna.samplers import RandomSampler

from ecgtune.space import SearchSpace
from ecgtune.sweep.points import FirstPoint, default_point, point_key
from ecgtune.sweep.sampling import draw
from ecgtune.sweep.seen import SeenStudy


def first_points(space: SearchSpace, winners: Sequence[FirstPoint]) -> list[FirstPoint]:
    """The points to begin with, each once.

    Args:
        space: what is searched.
        winners: parts of configurations, all of whose values lie in the space; what is missing is drawn, from the
            sweep's seed.
    """
    default = default_point(space)
    found = [] if default is None else [FirstPoint("default configuration", default)]
    known = {point_key(space, point.values) for point in found}
    for number, winner in enumerate(winners):
        seed = int(np.random.SeedSequence([space.settings.seed, 0, number]).generate_state(1)[0])
        values = draw(RandomSampler(seed=seed), SeenStudy("minimize"), number, space, winner.values)
        key = point_key(space, values)
        if key not in known:
            known.add(key)
            found.append(FirstPoint(winner.origin, values))
    return found
