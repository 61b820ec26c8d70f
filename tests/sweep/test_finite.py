import pytest

from ecgtune.errors import ConfigError
from ecgtune.space import Categorical, Float, Int
from ecgtune.sweep.finite import MOST_POINTS, listed_points, require_searchable, shortage_of_points
from tests.sweep.test_proposals import FINITE, LR, make_space


def test_a_grid_needs_points_that_can_be_listed():
    require_searchable(make_space(*FINITE, searcher="grid"))
    require_searchable(make_space(LR, searcher="tpe"))
    with pytest.raises(ConfigError, match=f"{LR.name} has no end of values; give each a step or choices, or take"):
        require_searchable(make_space(LR, *FINITE, searcher="grid"))
    with pytest.raises(ConfigError, match="pretext/adam/lr, pretext/head/l2 have no end of values"):
        require_searchable(make_space(LR, Float("pretext/head/l2", 0, 1), searcher="grid"))
    large = Int("pretext/batch_size", 1, MOST_POINTS), Categorical("pretext/encoder/batch_norm", (True, False))
    require_searchable(make_space(large[0], searcher="grid"))
    with pytest.raises(ConfigError, match="more than 100,000; give fewer choices"):
        require_searchable(make_space(*large, searcher="grid"))


@pytest.mark.parametrize("searcher", ["grid", "tpe"])
def test_a_space_with_fewer_points_than_trials_is_told(searcher):
    def notes(*parameters, **settings):
        return shortage_of_points(make_space(*parameters, searcher=searcher, **settings))

    assert notes(*FINITE, num_samples=18) == ()
    assert notes(*FINITE, num_samples=19) == (
        "the space has 18 points, so the sweep ends after 18 trials instead of 19.",
    )
    assert notes(LR, num_samples=500) == ()


def test_points_are_listed_where_there_are_not_too_many():
    assert len(listed_points(make_space(*FINITE))) == 18
    assert listed_points(make_space(LR, *FINITE)) is None
    assert listed_points(make_space(Int("pretext/batch_size", 0, MOST_POINTS))) is None
