import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgtune.space import Categorical, Float, Int
from ecgtune.sweep.encoding import encode, ordered, places


def distance(parameter, *values):
    """Between two points of one parameter; None is one where it is not in play."""
    one, other = encode([parameter], [{} if value is None else {"x": value} for value in values])
    return np.abs(one - other).sum()


@pytest.mark.parametrize(
    ("parameter", "one", "other", "expected"),
    [
        (Float("x", -2.0, 6.0), -2.0, 6.0, 1),
        (Float("x", -2.0, 6.0), -2.0, 0.0, 0.25),
        (Float("x", -2.0, 6.0), -2.0, None, 0.5),
        (Float("x", -2.0, 6.0), 6.0, None, 1.5),
        (Float("x", 3.0, 3.0), 3.0, 3.0, 0),
        (Float("x", 1e-5, 1e-1, log=True), 1e-5, 1e-1, 1),
        (Float("x", 1e-5, 1e-1, log=True), 1e-3, 1e-2, 0.25),
        (Int("x", 2, 12, step=5), 2, 7, 0.5),
        (Int("x", 1, 64, log=True), 8, 16, 1 / 6),
        (Categorical("x", ("a", "b", "c")), "a", "c", 1),
        (Categorical("x", ("a", "b", "c")), "a", "b", 1),
        (Categorical("x", ("a", "b", "c")), "b", "b", 0),
        (Categorical("x", ("a", "b", "c")), "b", None, 0.5),
        (Categorical("x", (False, True)), False, True, 1),
        (Categorical("x", (True, 1, "a")), True, 1, 1),
        (Categorical("x", (True, 1, "a")), 1, 1.0, 0),
        (Categorical("x", (64, 256, 128)), 64, 128, 0.5),
        (Categorical("x", (64, 256, 128)), 256, 64, 1),
        (Categorical("x", (64, 256, 128)), 64, None, 0.5),
        (Categorical("x", (64,)), 64, 64, 0),
    ],
)
def test_how_far_two_values_are_apart(parameter, one, other, expected):
    assert distance(parameter, one, other) == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(st.floats(1e-5, 1e-1), min_size=3, max_size=3).map(sorted))
def test_equal_factors_are_equal_distances_on_a_logarithmic_range(values):
    low, middle, high = values
    parameter = Float("x", 1e-5, 1e-1, log=True)
    assert distance(parameter, low, high) == pytest.approx(math.log10(high / low) / 4)
    assert distance(parameter, low, middle) + distance(parameter, middle, high) == pytest.approx(
        distance(parameter, low, high)
    )


def test_parameters_stand_side_by_side_and_points_below_one_another():
    varied = (Float("a", 0.0, 2.0), Categorical("b", ("u", "v")), Int("c", 0, 4, when={"b": ("v",)}))
    found = encode(varied, [{"a": 1.0, "b": "u"}, {"a": 0.0, "b": "v", "c": 3}])
    assert found.tolist() == [[0.5, 0.5, 0, -0.5], [0, 0, 0.5, 0.75]]
    assert encode(varied, []).shape == (0, 4)
    assert encode((), [{}, {}]).shape == (2, 0)


@pytest.mark.parametrize(
    ("choices", "expected"),
    [((1, 0.5), True), ((1, "a"), False), ((False, True), False), ((1, True), False), (("a",), False)],
)
def test_choices_that_are_numbers_have_an_order(choices, expected):
    assert ordered(Categorical("x", choices)) == expected


def test_places_among_choices_go_by_their_value_not_by_the_order_in_the_file():
    where = places(Categorical("x", (64, 16, 256, 32)))
    assert [where(value) for value in (16, 32, 64, 256)] == pytest.approx([0, 1 / 3, 2 / 3, 1])
