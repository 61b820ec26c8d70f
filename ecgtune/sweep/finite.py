"""Spaces with finitely many points: whether a grid can be had, and whether the points suffice."""

from itertools import islice

from ecgtune.config import Scalar
from ecgtune.errors import ConfigError
from ecgtune.space import SearchSpace
from ecgtune.space.grid import continuous, points

# A space with more points is not listed.
MOST_POINTS = 100_000


def require_searchable(space: SearchSpace) -> None:
    """Refuse a grid over a space whose points cannot be listed.

    Raises:
        ConfigError: with the parameters that are a continuum, or the number of points.
    """
    if space.settings.searcher != "grid":
        return
    endless = continuous(space.parameters)
    if endless:
        verb = "has" if len(endless) == 1 else "have"
        problem = (
            f'searcher = "grid" tries every point, but {", ".join(endless)} {verb} no end of values; '
            "give each a step or choices, or take another searcher"
        )
        raise ConfigError(str(space.path), [problem])
    if listed_points(space) is None:
        problem = (
            f'searcher = "grid" tries every point, and this space has more than {MOST_POINTS:,}; '
            "give fewer choices, or take another searcher"
        )
        raise ConfigError(str(space.path), [problem])


def shortage_of_points(space: SearchSpace) -> tuple[str, ...]:
    """A note where a space has fewer points than the sweep is to have trials."""
    wanted = space.settings.num_samples
    if continuous(space.parameters):
        return ()
    count = len(list(islice(points(space.parameters, space.fixed), wanted)))
    if count == wanted:
        return ()
    return (f"the space has {count} points, so the sweep ends after {count} trials instead of {wanted}.",)


def listed_points(space: SearchSpace) -> list[dict[str, Scalar]] | None:
    """All points of a space; None where they are a continuum, or more than `MOST_POINTS`."""
    if continuous(space.parameters):
        return None
    listed = list(islice(points(space.parameters, space.fixed), MOST_POINTS + 1))
    return listed if len(listed) <= MOST_POINTS else None
