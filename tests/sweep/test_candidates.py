import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgtune.space import Categorical, Float, Int, SearchSpace, SweepSettings, active
from ecgtune.space.grid import points
from ecgtune.sweep import candidates as module
from ecgtune.sweep.candidates import candidates
from ecgtune.sweep.points import contains, point_key

TYPE = Categorical("type", ("none", "cosine"))
WARMUP = Int("warmup", 0, 4, when={"type": ("cosine",)})
VARIED = (
    Float("lr", 1e-5, 1e-1, log=True),
    Float("p", 0.0, 0.3, step=0.1),
    Float("q", 0.1, 0.85, step=0.2),
    Int("width", 2, 11, step=5),
    Int("batch", 1, 64, log=True),
    Categorical("flag", (True, False)),
    TYPE,
    WARMUP,
    Float("decay", 0.0, 1.0, when={"type": ("cosine",), "stage": ("b",)}),
    Float("never", 0.0, 1.0, when={"stage": ("a",)}),
)
GOOD = {"lr": 5e-5, "p": 0.1, "q": 0.5, "width": 7, "batch": 8, "flag": True, "type": "none"}


def make_space(*parameters, fixed=None):
    return SearchSpace(None, "", SweepSettings("pretext", "val_loss", "min"), parameters, fixed or {})


SPACE = make_space(*VARIED, fixed={"stage": "b"})


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), n_good=st.integers(0, 3))
def test_every_one_lies_in_the_space_and_has_the_parameters_in_play_only(seed, n_good):
    known = {parameter.name: parameter for parameter in VARIED}
    least = {
        **GOOD,
        "lr": 1e-5,
        "p": 0.0,
        "q": 0.1,
        "width": 2,
        "batch": 1,
        "type": "cosine",
        "warmup": 0,
        "decay": 0.0,
    }
    most = {**least, "lr": 1e-1, "p": 0.3, "q": 0.7, "batch": 64, "warmup": 4, "decay": 1.0}
    for point in candidates(SPACE, [least, most, GOOD][:n_good], np.random.default_rng(seed)):
        assert tuple(point) == active(VARIED, {**SPACE.fixed, **point})
        assert [(name, value) for name, value in point.items() if not contains(known[name], value)] == []


@pytest.mark.parametrize("parameter", VARIED[1:6], ids=lambda parameter: parameter.name)
def test_every_value_of_a_grid_comes_up(monkeypatch, parameter):
    monkeypatch.setattr(module, "_ANYWHERE", 5000)
    space = make_space(parameter, Float("x", 0.0, 1.0))
    found = {point[parameter.name] for point in candidates(space, [], np.random.default_rng(0))}
    assert sorted(found) == pytest.approx(sorted(point[parameter.name] for point in points([parameter], {})))


def test_a_logarithmic_range_is_covered_by_powers():
    """As many below the middle power as above it; on a plain range one in a hundred would be below."""
    rates = [point["lr"] for point in candidates(SPACE, [], np.random.default_rng(0))]
    assert np.mean(np.array(rates) < 1e-3) == pytest.approx(0.5, abs=0.08)


def test_those_near_a_good_point_differ_in_few_parameters_and_not_by_much(monkeypatch):
    monkeypatch.setattr(module, "_ANYWHERE", 0)
    near = candidates(SPACE, [GOOD], np.random.default_rng(0))
    assert len(near) == module._NEAR
    differing = [sum(point[name] != value for name, value in GOOD.items()) for point in near]
    assert 0.5 < np.mean(differing) < 2
    decades = np.abs([np.log10(point["lr"] / GOOD["lr"]) for point in near if point["lr"] != GOOD["lr"]])
    assert 0 < np.median(decades) < 1


def test_a_small_space_is_listed_as_a_whole():
    space = make_space(TYPE, WARMUP, Float("p", 0.0, 0.3, step=0.1))
    offered = candidates(space, [{"type": "none", "p": 0.1}], np.random.default_rng(0))
    assert offered == list(points(space.parameters, {}))
    assert len(offered) == (1 + 5) * 4


@pytest.mark.parametrize(("high", "listed"), [(999, True), (1000, False)])
def test_how_large_a_small_space_may_be(high, listed):
    """One of `WHOLE` points is listed; of one with a point more some are drawn, and some of them twice."""
    space = make_space(Int("x", 0, high))
    assert module.WHOLE == 1000
    offered = candidates(space, [{"x": 3}], np.random.default_rng(0))
    assert len(offered) == (high + 1 if listed else 600 + 80)
    assert (len({point_key(space, point) for point in offered}) == len(offered)) == listed


def test_fixed_values_decide_which_parameters_are_in_play():
    offered = candidates(make_space(*VARIED, fixed={"stage": "a"}), [GOOD], np.random.default_rng(0))
    assert all("never" in point and "decay" not in point and "stage" not in point for point in offered)


def test_the_generator_decides():
    one, same, other = (candidates(SPACE, [GOOD], np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
