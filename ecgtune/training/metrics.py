"""Scores of a classifier, from counts and probabilities. NaN means that a score is not defined."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def confusion_matrix(truth: NDArray[np.integer], guess: NDArray[np.integer], n_classes: int) -> NDArray[np.int64]:
    """Counts [n_classes, n_classes], rows are the truth; both inputs are [n] with values below `n_classes`."""
    counts = np.bincount(truth.astype(np.int64) * n_classes + guess, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


def accuracy(confusion: NDArray[np.integer]) -> float:
    """The share of correct answers."""
    return _ratio(float(np.trace(confusion)), float(confusion.sum()))


def balanced_accuracy(confusion: NDArray[np.integer]) -> float:
    """The mean recall over the classes that occur; 1 / n_classes is chance."""
    support = confusion.sum(axis=1)
    present = support > 0
    if not present.any():
        return math.nan
    return float(np.mean(np.diag(confusion)[present] / support[present]))


def f1_scores(confusion: NDArray[np.integer]) -> NDArray[np.float64]:
    """[n_classes] F1 of each class, NaN for a class that neither occurs nor is guessed."""
    correct = np.diag(confusion).astype(np.float64)
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    scores: NDArray[np.float64] = np.divide(2 * correct, total, out=np.full(len(correct), np.nan), where=total > 0)
    return scores


def macro_f1(confusion: NDArray[np.integer]) -> float:
    """The mean F1 over the classes that occur or are guessed."""
    scores = f1_scores(confusion)
    defined = scores[~np.isnan(scores)]
    return float(defined.mean()) if len(defined) else math.nan


def roc_auc(classes: NDArray[np.integer], scores: NDArray[np.floating]) -> float:
    """The probability that a positive window scores above a negative one; ties count one half (Mann & Whitney 1947).

    Args:
        classes: [n], 0 or 1.
        scores: [n], higher for the positive class. One that is not a number makes the result NaN.
    """
    n_positive = int(np.count_nonzero(classes))
    n_negative = len(classes) - n_positive
    if not n_positive or not n_negative or np.isnan(scores).any():
        return math.nan
    _, level, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[level]
    above = float(rank[classes == 1].sum()) - n_positive * (n_positive + 1) / 2
    return above / (n_positive * n_negative)


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """The same metrics as plain floats, with NaN in the place of infinities."""
    return {name: float(value) if math.isfinite(value) else math.nan for name, value in metrics.items()}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
