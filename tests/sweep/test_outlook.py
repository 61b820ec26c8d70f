import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgtune.sweep.outlook import outlook

# In halves, whose sums are exact.
SCORES = st.integers(-20, 20).map(lambda number: number / 2)


CURVES = st.lists(st.lists(SCORES, min_size=1, max_size=8).map(np.array), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("found", "max_epochs", "expected"),
    [
        # The best grow by 2 and 0 in the second epoch, by 3 in the third.
        ([[1, 3, 6], [2, 1], [0]], 3, [6, 2 + 3, 0 + 1 + 3]),
        # Nobody went on: all have what they have.
        ([[1], [4]], 5, [1, 4]),
        # An epoch that none reached adds nothing.
        ([[1, 2], [0]], 5, [2, 1]),
        # What a curve loses after its best does not count.
        ([[5, 1, 1], [3]], 3, [5, 3]),
        ([[1, 2, 9]], 2, [2]),
        ([[-4, -2], [-3]], 2, [-2, -1]),
    ],
)
def test_worked_by_hand(found, max_epochs, expected):
    assert outlook([np.array(curve, dtype=float) for curve in found], max_epochs).tolist() == expected


@settings(deadline=None)
@given(CURVES, st.integers(1, 8))
def test_a_complete_trial_has_its_best_and_no_trial_has_less_than_it_had(found, max_epochs):
    expected = outlook(found, max_epochs)
    for curve, value in zip(found, expected, strict=True):
        best = curve[:max_epochs].max()
        assert value >= best
        if len(curve) >= max_epochs:
            assert value == best


@settings(deadline=None)
@given(CURVES, st.lists(st.integers(1, 8), min_size=6, max_size=6))
def test_trials_stopped_at_one_rung_keep_their_order(found, stopped):
    found = [curve[:epoch] for curve, epoch in zip(found, stopped, strict=False)]
    expected = outlook(found, 8)
    for place, curve in enumerate(found):
        for other in range(place):
            if len(curve) == len(found[other]):
                assert expected[place] - expected[other] == pytest.approx(curve.max() - found[other].max())
