"""Candidates side by side."""

import numpy as np
import pytest

from ecgtune.errors import DataError
from ecgtune.evaluation.statistics import METRICS
from ecgtune.evaluation.table import Candidate, evaluate_predictions


@pytest.fixture
def cohort():
    rng = np.random.default_rng(0)
    persons = np.repeat([f"set:{number:02d}" for number in range(15)], 12)
    classes = np.tile([0, 1], 90)
    good = 0.3 * classes + 0.7 * rng.random(180)
    poor = 0.1 * classes + 0.9 * rng.random(180)
    unpredicted = persons == "set:03"
    good[unpredicted] = poor[unpredicted] = np.nan
    return persons, classes, good, poor


def test_rows_in_order_with_the_lead_of_the_first(cohort):
    persons, classes, good, poor = cohort
    first, second = evaluate_predictions(
        persons, classes, [Candidate("good", good), Candidate("poor", poor, transductive=True)], seed=0
    )
    assert (first.name, first.transductive, first.n_windows, first.n_people) == ("good", False, 168, 14)
    assert (second.name, second.transductive) == ("poor", True)
    assert first.lead == {}
    for metric in METRICS:
        for row in (first, second):
            assert row.windows[metric].low <= row.windows[metric].value <= row.windows[metric].high
            assert 0 <= row.people[metric].value <= 1
        lead = second.lead[metric]
        assert lead.value == pytest.approx(first.windows[metric].value - second.windows[metric].value)
        assert 0 < lead.low < lead.value < lead.high


def test_it_repeats_with_the_seed(cohort):
    persons, classes, good, _ = cohort
    one, again, other = (
        evaluate_predictions(persons, classes, [Candidate("good", good)], n_resamples=100, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one == again != other


def test_candidates_that_do_not_fit_are_refused(cohort):
    persons, classes, good, poor = cohort
    with pytest.raises(DataError, match="no predictions"):
        evaluate_predictions(persons, classes, [], seed=0)
    poor[0] = np.nan
    with pytest.raises(DataError, match="poor and good predict different windows"):
        evaluate_predictions(persons, classes, [Candidate("good", good), Candidate("poor", poor)], seed=0)
