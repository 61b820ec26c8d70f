import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgtune.data.normalisation import Scale, by_window, measure, person_scale


def test_trimmed_is_the_published_formula():
    values = np.random.default_rng(0).standard_t(2, size=4000)
    ordered = sorted(values.tolist())
    middle = ordered[100:3900]
    mean_of_middle = sum(middle) / len(middle)
    spread = (sum((value - mean_of_middle) ** 2 for value in middle) / len(middle)) ** 0.5
    scale = measure([values[:1500], values[1500:]], trimmed=True)
    assert scale.mean == pytest.approx(sum(ordered) / 4000)
    assert scale.spread == pytest.approx(spread)


def test_plain_is_mean_and_standard_deviation_over_all_recordings():
    parts = [np.arange(5.0), np.arange(100.0, 103.0)]
    scale = measure(parts, trimmed=False)
    joined = np.concatenate(parts)
    assert (scale.mean, scale.spread) == (pytest.approx(joined.mean()), pytest.approx(joined.std()))


@pytest.mark.parametrize("trimmed", [False, True])
@pytest.mark.parametrize("level", [0.0, 0.1, -3.7, 1e9, 1e-300])
def test_a_flat_lead_becomes_zero_and_is_not_divided_by_zero(level, trimmed):
    flat = np.full(1000, level)
    out = measure([flat], trimmed=trimmed).apply(flat)
    assert np.abs(out).max() <= 1e-9 * max(1.0, abs(level))


def test_a_lead_that_is_flat_but_for_a_few_spikes_stays_finite():
    spiky = np.zeros(1000)
    spiky[::100] = 5.0
    assert np.isfinite(measure([spiky], trimmed=True).apply(spiky)).all()


@given(st.integers(1, 50), st.booleans())
def test_few_samples_are_enough(n_times, trimmed):
    values = np.arange(float(n_times))
    out = measure([values], trimmed=trimmed).apply(values)
    assert np.isfinite(out).all()
    assert out.mean() == pytest.approx(0.0, abs=1e-9)


@given(st.floats(0.01, 100.0), st.floats(-100.0, 100.0), st.booleans())
def test_unit_and_offset_of_the_file_do_not_matter(gain, offset, trimmed):
    values = np.random.default_rng(0).normal(size=500)
    changed = gain * values + offset
    np.testing.assert_allclose(
        measure([changed], trimmed=trimmed).apply(changed), measure([values], trimmed=trimmed).apply(values), atol=1e-6
    )


def test_each_normalisation_looks_at_what_it_says():
    rng = np.random.default_rng(0)
    rest, task = rng.normal(1.0, 2.0, 500), rng.normal(5.0, 9.0, 500)
    everything = [rest, task]
    assert person_scale("person_trimmed", everything, [rest]) == measure(everything, trimmed=True)
    assert person_scale("person", everything, [rest]) == measure(everything, trimmed=False)
    assert person_scale("baseline", everything, [rest]) == measure([rest], trimmed=True)
    assert person_scale("window", everything, [rest]) == person_scale("none", everything, [rest]) == Scale(0.0, 1.0)


def test_windows_one_by_one():
    windows = np.random.default_rng(0).normal(3.0, 5.0, size=(4, 300))
    windows[2] = 7.0
    out = by_window(windows)
    np.testing.assert_allclose(out[[0, 1, 3]].mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(out[[0, 1, 3]].std(axis=1), 1)
    np.testing.assert_array_equal(out[2], 0)
    assert by_window(np.empty((0, 300))).shape == (0, 300)
