"""What every transformation promises, as properties; and each one's own law."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ecgtune.config import TRANSFORMS as CLASSES
from ecgtune.config import NoiseConfig, PermutationConfig, ScalingConfig, TimeWarpingConfig, TransformsConfig
from ecgtune.errors import ConfigError
from ecgtune.transforms import TRANSFORMS, negation, noise, permutation, scaling, temporal_inversion, time_warping
from ecgtune.transforms.time_warping import warped_times

RANDOM = ("noise", "permutation", "time_warping")
CONFIG = TransformsConfig()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@st.composite
def windows(draw, min_times=40, max_batch=5):
    shape = (draw(st.integers(1, max_batch)), draw(st.integers(min_times, 300)))
    return torch.randn(shape, generator=seeded(draw(st.integers(0, 2**31))))


def test_the_table_has_every_class_in_order():
    assert tuple(TRANSFORMS) == CLASSES


@given(windows(), st.sampled_from(CLASSES), st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_shape_dtype_and_input_are_kept_and_the_seed_decides(x, name, dtype):
    x = x.to(dtype)
    before = x.clone()
    state = torch.get_rng_state()
    view = TRANSFORMS[name](x, seeded(1), CONFIG)
    assert view.shape == x.shape
    assert view.dtype == dtype
    assert view.isfinite().all()
    assert torch.equal(x, before)
    assert torch.equal(view, TRANSFORMS[name](x, seeded(1), CONFIG))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(view, x) == (name == "original")


@pytest.mark.parametrize("name", CLASSES)
def test_chance_differs_between_seeds_and_between_windows(name):
    x = torch.randn(1, 500, generator=seeded(0)).repeat(6, 1)
    view = TRANSFORMS[name](x, seeded(1), CONFIG)
    assert torch.equal(view, TRANSFORMS[name](x, seeded(2), CONFIG)) == (name not in RANDOM)
    assert len(view.unique(dim=0)) == (6 if name in RANDOM else 1)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("noise", TransformsConfig(noise=NoiseConfig(snr_db=3.0))),
        ("scaling", TransformsConfig(scaling=ScalingConfig(factor=2.0))),
        ("permutation", TransformsConfig(permutation=PermutationConfig(pieces=3))),
        ("time_warping", TransformsConfig(time_warping=TimeWarpingConfig(pieces=4))),
        ("time_warping", TransformsConfig(time_warping=TimeWarpingConfig(stretch=1.3))),
    ],
)
def test_every_parameter_reaches_its_transformation(name, other):
    x = torch.randn(2, 500, generator=seeded(0))
    assert not torch.equal(TRANSFORMS[name](x, seeded(1), CONFIG), TRANSFORMS[name](x, seeded(1), other))


@given(windows())
def test_negation_and_inversion_undo_themselves(x):
    assert torch.equal(negation(negation(x)), x)
    assert torch.equal(temporal_inversion(temporal_inversion(x)), x)
    np.testing.assert_array_equal(negation(x).numpy(), -x.numpy())
    np.testing.assert_array_equal(temporal_inversion(x).numpy(), x.numpy()[:, ::-1])


@given(windows(), st.floats(0.01, 100.0))
def test_scaling_multiplies(x, factor):
    np.testing.assert_allclose(scaling(x, factor=factor).numpy(), x.numpy() * factor, rtol=1e-5)


@given(st.floats(-20.0, 60.0), st.floats(0.01, 100.0), st.floats(-10.0, 10.0), st.integers(0, 2**31))
def test_noise_has_the_ratio_asked_for_in_every_window(snr_db, size, offset, seed):
    time = torch.arange(4000, dtype=torch.float64)
    # Windows of different power; an offset is not power.
    x = torch.stack([size * k * torch.sin(time / 7) + offset for k in (1, 5)])
    added = noise(x, seeded(seed), snr_db=snr_db) - x
    ratio = 10 * torch.log10(x.var(dim=1) / added.var(dim=1))
    # The power of 4000 normal samples has a standard error of 2.2 %, that is 0.1 dB.
    assert (ratio - snr_db).abs().max() < 0.5
    assert (added.mean(dim=1).abs() < 0.1 * added.std(dim=1)).all()
    assert abs(torch.corrcoef(added)[0, 1]) < 0.1


def test_noise_leaves_a_constant_window_alone():
    x = torch.full((2, 100), 3.0)
    assert torch.equal(noise(x, seeded(0), snr_db=15.0), x)


@given(windows(), st.integers(2, 40), st.integers(0, 2**31))
def test_permutation_moves_whole_pieces_and_never_none(x, pieces, seed):
    n_times = x.shape[1]
    index = torch.arange(n_times, dtype=torch.float64).expand(x.shape[0], -1)
    moved = permutation(index, seeded(seed), pieces=pieces)
    assert torch.equal(moved.sort(dim=1).values, index)
    assert torch.equal(permutation(x, seeded(seed), pieces=pieces), x.gather(1, moved.long()))
    starts = {k * n_times // pieces for k in range(pieces)}
    for row in moved.tolist():
        assert row != list(range(n_times))
        jumps = {0.0, *(now for before, now in pairwise(row) if now != before + 1)}
        assert jumps - {row[0], 0.0} <= starts
        assert row[0] in starts


def test_permutations_are_uniform_but_for_the_identity():
    index = torch.arange(3.0).expand(12_000, -1)
    orders, counts = permutation(index, seeded(0), pieces=3).unique(dim=0, return_counts=True)
    assert orders.tolist() == [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    # Each of the six comes 2,000 times; the identity's share goes to the rotation [2, 0, 1].
    np.testing.assert_allclose(counts.numpy(), [2000, 2000, 2000, 4000, 2000], atol=220)


def test_permutation_refuses_pieces_without_samples(generator):
    with pytest.raises(ConfigError, match="11 pieces do not fit into 10 samples"):
        permutation(torch.zeros(1, 10), generator, pieces=11)


@settings(max_examples=50)
@given(st.integers(40, 3000), st.integers(2, 30), st.floats(1.001, 3.0), st.integers(0, 2**31))
def test_warped_time_runs_at_two_paces_and_stays_inside(n_times, pieces, stretch, seed):
    assume(n_times >= 4 * pieces)
    x = torch.zeros(4, n_times, dtype=torch.float64)
    time = warped_times(x, seeded(seed), pieces=pieces, stretch=stretch)
    assert time.min() >= 0
    assert time.max() <= n_times - 1
    pace = time.diff(dim=1)
    assert pace.min() >= 1 / stretch - 1e-9
    assert pace.max() <= stretch + 1e-9
    slow, fast = (pace - 1 / stretch).abs() < 1e-9, (pace - stretch).abs() < 1e-9
    # A sample that spans a joint has a pace between the two.
    assert (~(slow | fast)).sum(dim=1).max() <= pieces


def test_the_published_warp_stretches_five_pieces_of_nine():
    time = warped_times(torch.zeros(400, 2560, dtype=torch.float64), seeded(0), pieces=9, stretch=1.05)
    slow = (time.diff(dim=1) < 1).double().mean(dim=1)
    whole = 5 * 1.05 + 4 / 1.05
    # A random crop may cut up to 0.7 % of the whole from the first and last pieces.
    assert ((slow - 5 * 1.05 / whole).abs() < 0.007).all()
    first = time[:, 0]
    room = 2559 * (whole / 9 - 1)
    assert first.max() <= room * 1.05
    # The crop begins anywhere in what is too long.
    np.testing.assert_allclose(first.mean(), room / 2, rtol=0.1)
    # Every piece is as often stretched as another.
    middle = (time.diff(dim=1) < 1)[:, [140 + 284 * k for k in range(9)]].double().mean(dim=0)
    np.testing.assert_allclose(middle, 5 / 9, atol=0.1)


@pytest.mark.parametrize(("hertz", "error"), [(1.0, 1e-4), (10.0, 1e-3), (32.0, 4e-3), (64.0, 8e-3)])
def test_a_sine_is_warped_as_the_formula_says(hertz, error):
    phase = torch.linspace(0, 6, 8, dtype=torch.float64)[:, None]

    def sine(time):
        return torch.sin(2 * torch.pi * hertz / 256 * time + phase)

    x = sine(torch.arange(2560, dtype=torch.float64)).expand(8, -1)
    time = warped_times(x, seeded(3), pieces=9, stretch=1.05)
    view = time_warping(x, seeded(3), pieces=9, stretch=1.05)
    inside = slice(64, -64)
    assert (view - sine(time))[:, inside].abs().max() < error


def test_a_warp_keeps_the_power_and_the_whiteness_of_noise():
    x = torch.randn(400, 2560, generator=seeded(0))
    view = time_warping(x, seeded(1), pieces=9, stretch=1.05)
    power = torch.fft.rfft(view).abs().square().mean(dim=0)[1:-1] / 2560
    bands = power[: 1275 // 25 * 25].reshape(25, -1).mean(dim=1)
    np.testing.assert_allclose(bands, 1.0, atol=0.12)
    np.testing.assert_allclose(view.var(dim=0).mean(), 1.0, atol=0.03)
    np.testing.assert_allclose(view[:, [0, 1, 2, -3, -2, -1]].var().item(), 1.0, atol=0.1)
