"""Metrics against scikit-learn's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from ecgtune.training.metrics import (
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    f1_scores,
    finite,
    macro_f1,
    roc_auc,
)

answers = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.int64, n, elements=st.integers(0, 3)), arrays(np.int64, n, elements=st.integers(0, 3))
    )
)


@given(answers)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
def test_scores_from_counts(pair):
    truth, guess = pair
    counts = confusion_matrix(truth, guess, 4)
    np.testing.assert_array_equal(counts, sk.confusion_matrix(truth, guess, labels=range(4)))
    assert accuracy(counts) == pytest.approx(sk.accuracy_score(truth, guess))
    assert balanced_accuracy(counts) == pytest.approx(sk.balanced_accuracy_score(truth, guess))
    assert macro_f1(counts) == pytest.approx(sk.f1_score(truth, guess, average="macro"))
    seen = sorted(set(truth) | set(guess))
    per_class = sk.f1_score(truth, guess, average=None, labels=seen)
    np.testing.assert_allclose(f1_scores(counts)[seen], per_class)


@given(st.data())
def test_auc_with_ties(data):
    n = data.draw(st.integers(2, 30))
    classes = data.draw(arrays(np.int64, n, elements=st.integers(0, 1)))
    scores = data.draw(arrays(np.float32, n, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
    if len(set(classes)) < 2:
        assert math.isnan(roc_auc(classes, scores))
    else:
        assert roc_auc(classes, scores) == pytest.approx(sk.roc_auc_score(classes, scores))


def test_what_is_not_defined_is_nan():
    nothing = np.zeros((2, 2), dtype=np.int64)
    assert all(math.isnan(score(nothing)) for score in (accuracy, balanced_accuracy, macro_f1))
    assert math.isnan(roc_auc(np.array([0, 1]), np.array([0.1, np.nan])))
    got = finite({"a": math.inf, "b": -math.inf, "c": math.nan, "d": 1})
    assert [math.isnan(value) for value in got.values()] == [True, True, True, False]
