import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecgtune.data.windows import cut, window_starts


@given(st.integers(0, 200), st.integers(1, 60), st.integers(1, 80))
def test_every_window_that_fits_and_no_other(n_samples, n_times, step):
    starts = window_starts(n_samples, n_times, step)
    assert starts == [s for s in range(n_samples) if s % step == 0 and s + n_times <= n_samples]


@given(st.integers(0, 50), st.integers(1, 20), st.integers(1, 20))
def test_all_leads_are_cut_at_the_same_instants(n_samples, n_times, step):
    signal = np.arange(n_samples) + np.array([[0.0], [1000.0], [2000.0]])
    starts = window_starts(n_samples, n_times, step)
    out = cut(signal, starts, n_times)
    assert out.shape == (3, len(starts), n_times)
    for lead in range(3):
        for window, start in enumerate(starts):
            np.testing.assert_array_equal(out[lead, window], 1000 * lead + start + np.arange(n_times))
