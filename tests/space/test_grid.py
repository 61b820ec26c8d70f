import pytest

from ecgtune.space import Categorical, Float, Int
from ecgtune.space.grid import continuous, points, values_of


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (Float("x", 0.0, 0.3, step=0.1), [0.0, 0.1, 0.2, 0.3]),
        (Float("x", 0.1, 0.35, step=0.1), [0.1, 0.2, 0.3]),
        (Float("x", 1e-3, 4e-3, step=1e-3), [0.001, 0.002, 0.003, 0.004]),
        (Float("x", 0.0, 1.0), None),
        (Float("x", 1e-3, 1e-1, log=True), None),
        (Int("x", 2, 9, step=3), [2, 5, 8]),
        (Int("x", 1, 4, log=True), [1, 2, 3, 4]),
        (Categorical("x", (True, "a", 3)), [True, "a", 3]),
    ],
)
def test_the_values_of_a_parameter(parameter, expected):
    assert values_of(parameter) == expected
    assert continuous([parameter]) == ([] if expected else ["x"])


def test_points_of_a_conditional_space():
    varied = (
        Categorical("kind", ("a", "b")),
        Int("n", 1, 2, when={"kind": ("b",)}),
        Int("m", 5, 5, when={"fixed": (1,)}),
        Int("k", 5, 5, when={"fixed": (2,)}),
    )
    found = list(points(varied, {"fixed": 1}))
    assert found == [{"kind": "a", "m": 5}, {"kind": "b", "n": 1, "m": 5}, {"kind": "b", "n": 2, "m": 5}]
