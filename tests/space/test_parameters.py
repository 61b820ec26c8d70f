"""Which parameters are in play."""

import pytest

from ecgtune.space import Categorical, Float, Int, active, is_active

SPACE = (
    Categorical("type", ("none", "decay", "cosine")),
    Float("decay", 0.9, 0.99, when={"type": ("decay",)}),
    Categorical("shape", ("hard", "soft"), when={"type": ("cosine",)}),
    Int("cycles", 1, 3, when={"shape": ("hard",)}),
    Int("warmup", 0, 5, when={"type": ("decay", "cosine"), "optimizer": ("adam",)}),
)


@pytest.mark.parametrize(
    ("values", "playing"),
    [
        ({"type": "none"}, ("type",)),
        ({"type": "decay"}, ("type", "decay")),
        ({"type": "decay", "optimizer": "adam"}, ("type", "decay", "warmup")),
        ({"type": "decay", "optimizer": "sgd"}, ("type", "decay")),
        ({"type": "cosine", "shape": "hard"}, ("type", "shape", "cycles")),
        ({"type": "cosine", "shape": "soft"}, ("type", "shape")),
        # A value for a parameter that is not in play does not bring in those that depend on it.
        ({"type": "none", "shape": "hard"}, ("type",)),
        ({}, ("type",)),
    ],
)
def test_active(values, playing):
    assert active(SPACE, values) == playing


def test_every_condition_must_hold():
    assert is_active(SPACE[4], {"type": "cosine", "optimizer": "adam"})
    assert not is_active(SPACE[4], {"type": "cosine"})
