import pytest

from ecgtune.space import Categorical, Float, Int, SearchSpace, SweepSettings
from ecgtune.sweep.points import FirstPoint, contains, point_key, winners_content, winners_from


@pytest.mark.parametrize(
    ("parameter", "inside", "outside"),
    [
        (Float("x", 0.1, 0.9), [0.1, 0.5, 0.9], [0.0, 1.0, True, "a"]),
        (Float("x", 0.0, 1.0, step=0.1), [0.3, 0.1 + 0.2, 0, 1], [0.35, 1.1]),
        (Int("x", 2, 8, step=3), [2, 5, 8], [3, 11, 5.0, True, "5"]),
        (Categorical("x", (1, "a", 0.5)), [1, 1.0, "a", 0.5], [True, "b", 0]),
        (Categorical("x", (True,)), [True], [1, False]),
    ],
)
def test_which_values_a_parameter_can_have(parameter, inside, outside):
    assert all(contains(parameter, value) for value in inside)
    assert not any(contains(parameter, value) for value in outside)


def test_points_are_the_same_whatever_wrote_them():
    varied = (
        Float("a", 0.0, 1.0, step=0.1),
        Float("b", 0.0, 1.0),
        Int("c", 0, 9),
        Categorical("d", (True, 1, "x")),
        Int("e", 0, 9, when={"d": ("x",)}),
    )
    space = SearchSpace(None, "", SweepSettings("pretext", "val_loss", "min"), varied, {"f": 1})
    base = {"a": 0.3, "b": 0.5, "c": 3, "d": 1}
    same = [{**base, "a": 0.1 + 0.2}, {**base, "c": 3.0}, {**base, "f": 1}]
    other = [{**base, "a": 0.4}, {**base, "b": 0.5000001}, {**base, "c": 4}, {**base, "d": True}, {**base, "d": "x"}]
    assert {point_key(space, point) for point in same} == {point_key(space, base)}
    keys = {point_key(space, point) for point in [base, *other, {**base, "d": "x", "e": 1}, {**base, "d": "x", "e": 0}]}
    assert len(keys) == 1 + len(other) + 2


def test_winners_go_to_a_file_and_back():
    winners = (FirstPoint("one trial 00001", {"a": 1, "b": 0.5, "c": "x", "d": True}), FirstPoint("two", {}))
    assert winners_from(winners_content(winners)) == winners
