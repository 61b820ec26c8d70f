import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgtune.data.preprocessing import NORMALISATIONS, Preparation, filled, high_pass, resample
from ecgtune.errors import ConfigError

SFREQ = 256.0


def tones(n_times, sfreq, *frequencies):
    time = np.arange(n_times) / sfreq
    return np.array([np.sin(2 * np.pi * frequency * time) for frequency in frequencies])


@pytest.mark.parametrize("sfreq", [128.0, 250.0, 256.0, 360.0, 500.0, 700.0, 1000.0, 2048.0, 359.5])
def test_resampling_gives_the_same_curve_at_the_new_instants(sfreq):
    n_times = round(20 * sfreq)
    out = resample(3.0 + tones(n_times, sfreq, 1.0, 10.0), sfreq, SFREQ)
    assert out.shape == (2, int(np.ceil(n_times * SFREQ / sfreq)))
    expected = 3.0 + tones(out.shape[1], SFREQ, 1.0, 10.0)
    inner = slice(256, -256)
    assert np.abs(out - expected)[:, inner].max() < 0.01
    # The ends, too, are free of the step that a filter makes of an offset.
    assert np.abs(out - expected).max() < 0.25


def test_resampling_keeps_out_what_would_alias():
    out = resample(tones(20_000, 2000.0, 400.0), 2000.0, SFREQ)
    assert np.abs(out[:, 256:-256]).max() < 0.02


def test_the_same_rate_changes_nothing():
    signal = np.random.default_rng(0).normal(size=(2, 100))
    np.testing.assert_array_equal(resample(signal, 256.0), signal)
    assert resample(np.empty((2, 0)), 500.0).shape == (2, 0)


@pytest.mark.parametrize("cutoff", [0.5, 0.8, 2.0])
def test_the_high_pass_halves_its_cut_off_and_delays_nothing(cutoff):
    n_times = round(120 * SFREQ)
    signal = tones(n_times, SFREQ, cutoff, cutoff / 8, 10.0)
    out = high_pass(signal + 100.0, SFREQ, cutoff)
    inner = slice(round(10 * SFREQ), -round(10 * SFREQ))
    np.testing.assert_allclose(out[0, inner], 0.5 * signal[0, inner], atol=0.01)
    assert np.abs(out[1, inner]).max() < 0.01
    np.testing.assert_allclose(out[2, inner], signal[2, inner], atol=0.01)


def test_the_high_pass_has_no_transient_at_the_ends():
    out = high_pass(50.0 + tones(2560, SFREQ, 8.0), SFREQ, 0.8)
    assert np.abs(out).max() < 1.5


@pytest.mark.parametrize("n_times", [0, 1, 2, 5, 300])
def test_short_signals_pass(n_times):
    assert high_pass(np.ones((1, n_times)), SFREQ, 0.8).shape == (1, n_times)
    assert resample(np.ones((1, n_times)), 500.0).shape == (1, -(-n_times * 64 // 125))


def test_no_high_pass():
    signal = np.random.default_rng(0).normal(size=(1, 300))
    np.testing.assert_array_equal(high_pass(signal, SFREQ, 0.0), signal)


def test_gaps_are_bridged_by_straight_lines():
    out = filled(np.array([[np.nan, 1.0, np.nan, np.inf, 4.0, np.nan], [np.nan] * 6, range(6)]))
    np.testing.assert_array_equal(out, [[1, 1, 2, 3, 4, 4], [0] * 6, range(6)])


@given(st.lists(st.integers(0, 99), max_size=100), st.floats(-1e6, 1e6))
def test_filling_touches_the_gaps_only(missing, level):
    signal = level + np.random.default_rng(0).normal(size=(1, 100))
    gappy = signal.copy()
    gappy[0, missing] = np.nan
    known = np.isfinite(gappy)
    out = filled(gappy)
    assert np.isfinite(out).all()
    np.testing.assert_array_equal(out[known], signal[known])
    np.testing.assert_array_equal(np.isnan(gappy), ~known)


def test_the_defaults_are_the_published_ones():
    assert Preparation() == Preparation(256.0, 0.8, "person_trimmed", 2560, 2560, ())
    assert NORMALISATIONS[0] == "person_trimmed"


@pytest.mark.parametrize("possible", [{"highpass_hz": 0.0}, {"highpass_hz": 127.9}, {"step": 1}, {"sfreq": 100.0}])
def test_the_ends_of_the_ranges_are_allowed(possible):
    Preparation(**possible)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sfreq": 50.0}, "50 Hz; it must be 100 Hz or more"),
        ({"sfreq": float("nan")}, "nan Hz; it must be"),
        ({"highpass_hz": -1.0}, "high-pass is at -1 Hz.*0 .none. to below 128 Hz"),
        ({"highpass_hz": 128.0}, "high-pass is at 128 Hz"),
        ({"highpass_hz": float("nan")}, "high-pass is at nan Hz"),
        ({"normalisation": "z"}, "'z'; it can be one of: person_trimmed, person, window, baseline, none"),
        ({"n_times": 0}, "a window has 0 samples"),
        ({"step": 0}, "the step is 0 samples"),
        ({"step": 0, "n_times": 0, "normalisation": "z"}, "3 mistakes"),
    ],
)
def test_values_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Preparation(**wrong)
