import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erfcx
from scipy.stats import multivariate_normal, norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from ecgtune.sweep.gaussian import _LENGTHS, _NOISES, GaussianProcess, fit, log_expected_improvement


def observed(seed=0, n=12, d=3):
    rng = np.random.default_rng(seed)
    points = rng.random((n, d))
    return points, 5 + 2 * np.sin(4 * points[:, 0]) + points.sum(axis=1), rng.random((7, d)) * 1.5


def kernel(one, other, length):
    return np.exp(-np.abs(one[:, None] - other[None]).sum(axis=2) / length)


@settings(deadline=None)
@given(seed=st.integers(0, 100), n=st.integers(1, 15), d=st.integers(1, 4), length=st.sampled_from(_LENGTHS))
def test_the_posterior_is_that_of_the_plain_formula(seed, n, d, length):
    points, values, where = observed(seed, n, d)
    noise, scale, mean, spread = 0.1, 1.7, 3.0, 2.5
    inverse = np.linalg.inv(kernel(points, points, length) + noise * np.eye(n))
    across = kernel(where, points, length)
    found = GaussianProcess(points, (values - mean) / spread, length, noise, scale, mean, spread).predict(where)
    np.testing.assert_allclose(found[0], mean + across @ inverse @ (values - mean))
    variance = scale * (1 - np.einsum("ij,jk,ik->i", across, inverse, across))
    np.testing.assert_allclose(found[1], spread * np.sqrt(variance))


@pytest.mark.parametrize("length", _LENGTHS)
def test_in_one_dimension_it_is_sklearns_with_the_roughest_matern_kernel(length):
    points, values, where = observed(n=20, d=1)
    noise, scale = 0.03, 0.8
    theirs = GaussianProcessRegressor(
        ConstantKernel(scale) * Matern(length, nu=0.5), alpha=scale * noise, optimizer=None
    ).fit(points, values)
    ours = GaussianProcess(points, values, length, noise, scale, 0.0, 1.0)
    for found, expected in zip(ours.predict(where), theirs.predict(where, return_std=True), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_has_the_largest_likelihood_of_all_on_the_table(seed):
    """The density of the observations at each length and noise, with the variance that suits them best."""
    rng = np.random.default_rng(seed)
    points = 3 * rng.random((25, 2))
    length, noise = _LENGTHS[seed], _NOISES[seed % 3]
    values = rng.multivariate_normal(np.full(25, 4.0), 9 * (kernel(points, points, length) + noise * np.eye(25)))
    standard = (values - values.mean()) / values.std()

    def likelihood(length, noise):
        covariance = kernel(points, points, length) + noise * np.eye(25)
        scale = standard @ np.linalg.solve(covariance, standard) / 25
        return multivariate_normal.logpdf(standard, cov=scale * covariance), length, noise, scale

    found = fit(points, values)
    expected = max(likelihood(length, noise) for length in _LENGTHS for noise in _NOISES)
    assert (found.length, found.noise) == expected[1:3]
    assert found.scale == pytest.approx(expected[3])
    assert (found.mean, found.spread) == pytest.approx((values.mean(), values.std()))


def test_predictions_have_the_unit_of_the_values():
    points, values, where = observed()
    mean, deviation = fit(points, values).predict(where)
    moved_mean, moved_deviation = fit(points, 100 - 7 * values).predict(where)
    np.testing.assert_allclose(moved_mean, 100 - 7 * mean)
    np.testing.assert_allclose(moved_deviation, 7 * deviation)


def test_values_that_are_all_the_same_are_expected_everywhere():
    points, _, where = observed()
    mean, deviation = fit(points, np.full(len(points), 3.0)).predict(where)
    np.testing.assert_allclose(mean, 3.0)
    assert np.all((deviation > 0) & (deviation < 1e-3))
    assert np.isfinite(log_expected_improvement(mean, deviation, 3.0)).all()


def test_points_observed_twice_are_no_trouble():
    points, values, where = observed()
    mean, deviation = fit(np.tile(points, (3, 1)), np.tile(values, 3)).predict(np.concatenate([points, where]))
    assert np.isfinite(mean).all()
    assert np.all(deviation > 0)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 100))
def test_belief_leaves_the_mean_everywhere_and_makes_surer(seed):
    points, values, where = observed(seed)
    process = fit(points, values)
    mean, deviation = process.predict(where)
    believed_mean, believed_deviation = process.believing(where[:3]).predict(where)
    np.testing.assert_allclose(believed_mean, mean)
    assert np.all(believed_deviation <= deviation)
    assert np.all(believed_deviation[:3] < 0.9 * deviation[:3])
    assert process.believing(where[:0]) is process


@given(mean=st.floats(-3, 3), deviation=st.floats(0.2, 3), over=st.floats(-3, 3))
@settings(deadline=None, max_examples=40)
def test_the_expected_improvement_is_the_integral(mean, deviation, over):
    gain = quad(lambda value: (value - over) * norm.pdf(value, mean, deviation), over, max(over, mean) + 9 * deviation)
    found = log_expected_improvement(np.array([mean]), np.array([deviation]), over)
    np.testing.assert_allclose(found, np.log(gain[0]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("behind", [2.0, 5.9, 6.1, 15.0, 29.9, 30.1, 100.0, 2000.0])
def test_far_below_the_incumbent_it_is_what_the_scaled_error_function_gives(behind):
    """log(z Φ(z) + φ(z)) = log φ(z) + log(1 + z √(π/2) erfcx(-z/√2)) (Ament et al. 2023)."""
    expected = norm.logpdf(behind) + np.log1p(-behind * np.sqrt(np.pi / 2) * erfcx(behind / np.sqrt(2)))
    found = log_expected_improvement(np.array([-3 * behind]), np.array([3.0]), 0.0)
    np.testing.assert_allclose(found, np.log(3.0) + expected, rtol=0, atol=1e-6)


def test_hopeless_points_keep_their_order():
    """A higher mean is better wherever it is; also where one form of the formula takes over from the other."""
    for means in (np.linspace(-40, 8, 200_001), -np.logspace(8, 0, 1000)):
        hope = log_expected_improvement(means, np.ones(len(means)), 0.0)
        assert np.isfinite(hope).all()
        assert np.all(np.diff(hope) > 0)


def test_of_hopeless_points_the_uncertain_one_is_better():
    hope = log_expected_improvement(np.full(50, -100.0), np.linspace(0.5, 60, 50), 0.0)
    assert np.all(np.diff(hope) > 0)
