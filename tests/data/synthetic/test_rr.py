"""Generated RR intervals have the rate, the spread and the two spectral peaks asked for."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.signal

from ecgtune.data.synthetic.rr import Rhythm, narrow_noise, tachogram

RHYTHM = Rhythm(rate=70, slow=0.03, breathing_sd=0.03, breathing=0.27)


@pytest.mark.parametrize("rate", [55, 70, 90])
@pytest.mark.parametrize(("slow", "breathing_sd"), [(0.05, 0.01), (0.01, 0.04)])
def test_mean_and_spread_are_as_asked(rate, slow, breathing_sd):
    rhythm = Rhythm(rate, slow, breathing_sd, 0.25)
    rr, _ = tachogram(256 * 3000, 256, rhythm, np.random.default_rng(0))
    assert rr.mean() == pytest.approx(60 / rate, rel=0.01)
    assert rr.std() == pytest.approx(np.hypot(slow, breathing_sd), rel=0.1)


def test_the_spectrum_has_a_peak_of_slow_waves_and_one_of_breathing():
    rr, respiration = tachogram(4 * 4000, 4.0, RHYTHM, np.random.default_rng(1))
    frequency, power = scipy.signal.welch(rr, 4.0, nperseg=1024)

    def band(low, high):
        return power[(frequency >= low) & (frequency < high)].sum()

    assert frequency[np.argmax(np.where(frequency > 0.15, power, 0))] == pytest.approx(0.27, abs=0.03)
    between = band(0.155, 0.195)
    assert band(0.08, 0.12) > 5 * between
    assert band(0.25, 0.29) > 5 * between
    assert np.corrcoef(scipy.signal.detrend(rr), respiration)[0, 1] > 0.4


@pytest.mark.parametrize("n_times", [1, 256, 2560, 256 * 400])
def test_lengths_and_bounds(n_times):
    wild = Rhythm(rate=90, slow=0.4, breathing_sd=0.4, breathing=0.3)
    rr, respiration = tachogram(n_times, 256, wild, np.random.default_rng(2))
    assert rr.shape == respiration.shape == (n_times,)
    assert rr.min() >= 0.35
    assert rr.max() <= 1.8


def test_what_is_drawn_does_not_depend_on_the_rhythm():
    first, second = np.random.default_rng(3), np.random.default_rng(3)
    _, breaths = tachogram(2560, 256, RHYTHM, first)
    _, same = tachogram(2560, 256, replace(RHYTHM, rate=90, slow=0.001), second)
    np.testing.assert_array_equal(breaths, same)
    assert first.random() == second.random()


@pytest.mark.parametrize("n_times", [2, 3, 5000])
def test_narrow_noise_has_unit_variance_and_its_frequency(n_times):
    noise = narrow_noise(n_times, 4.0, 0.5, 0.02, np.random.default_rng(4))
    assert noise.shape == (n_times,)
    assert np.isfinite(noise).all()
    if n_times > 100:
        assert noise.std() == pytest.approx(1)
        frequency, power = scipy.signal.periodogram(noise, 4.0)
        assert (frequency * power).sum() / power.sum() == pytest.approx(0.5, abs=0.01)
