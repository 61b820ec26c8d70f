"""Scores of a two-class prediction, and intervals by resampling people.

Windows of one person are alike, so that windows drawn independently would give intervals far too narrow. What is
resampled here are people, each with all of their windows. Two levels of a score are told apart:

    windows   all windows of all people pooled: what a user of the model meets who knows nothing of the person
    people    the score within each person who shows both classes, averaged over those people with equal weight

Both follow from counts per person and, for the AUC, from a table of which person's positive windows score above
which person's negative ones. A resample is then a vector of weights of people, and thousands of them are one product.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ecgtune.errors import DataError

Metric: TypeAlias = Literal["balanced_accuracy", "macro_f1", "auc", "accuracy"]
METRICS: tuple[Metric, ...] = get_args(Metric)
Level: TypeAlias = Literal["windows", "people"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A score and its percentile interval; NaN where a score is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PersonStatistics:
    """All that the scores of one prediction need, person by person.

    Args:
        people: [n_people] in sorted order.
        confusion: [n_people, 2, 2] counts, rows are the truth.
        wins: [n_people, n_people] pairs of a positive window of the row's person and a negative window of the
            column's person in which the positive one scores higher; ties count one half.
    """

    people: tuple[str, ...]
    confusion: Floats
    wins: Floats

    def score(self, metric: Metric, weights: Floats, level: Level = "windows") -> Floats:
        """A score under many weightings of the people.

        Args:
            metric: the score.
            weights: [n, n_people], 0 or more.
            level: pooled windows, or the mean over people.

        Returns:
            [n], NaN where a class has no weight, or nobody shows both classes.
        """
        if level == "people":
            return self._over_people(metric, weights)
        if metric == "auc":
            # Row by row w' wins w: the pairs won among the people drawn, as often as they were drawn.
            won = np.einsum("np,pq,nq->n", weights, self.wins, weights, optimize=True)
            totals = weights @ self.confusion.sum(axis=2)
            return _divide(won, totals[:, 0] * totals[:, 1])
        return _from_confusion(metric, np.tensordot(weights, self.confusion, axes=1))

    def _over_people(self, metric: Metric, weights: Floats) -> Floats:
        if metric == "auc":
            own = _divide(np.diag(self.wins), self.confusion.sum(axis=2).prod(axis=1))
        else:
            own = _from_confusion(metric, self.confusion)
        shows_both = (self.confusion.sum(axis=2) > 0).all(axis=1)
        return _divide(weights[:, shows_both] @ own[shows_both], weights[:, shows_both].sum(axis=1))


def person_statistics(
    persons: NDArray[np.str_],
    classes: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    *,
    threshold: float = 0.5,
) -> PersonStatistics:
    """Count one prediction, person by person.

    Args:
        persons: [n].
        classes: [n], 0 or 1.
        probabilities: [n] of class 1.
        threshold: a probability above it is a guess of class 1.

    Raises:
        DataError: nothing to count, lengths that differ, or a probability that is not a number.
    """
    if not len(persons) == len(classes) == len(probabilities) or not len(persons):
        raise DataError(
            f"{len(persons)} persons, {len(classes)} classes and {len(probabilities)} predictions "
            "were given; there must be as many of each, and at least one."
        )
    if not np.isfinite(probabilities).all():
        raise DataError("a prediction is not a finite number; leave out the windows that were not predicted.")
    people, person = np.unique(persons, return_inverse=True)
    n_people = len(people)
    guesses = probabilities > threshold
    cell = person * 4 + classes * 2 + guesses
    confusion = np.bincount(cell, minlength=n_people * 4).reshape(n_people, 2, 2).astype(np.float64)

    positive = classes == 1
    scores, owners = probabilities[positive], person[positive]
    wins = np.empty((n_people, n_people))
    for other in range(n_people):
        against = np.sort(probabilities[~positive & (person == other)])
        below = np.searchsorted(against, scores, side="left") + np.searchsorted(against, scores, side="right")
        wins[:, other] = np.bincount(owners, weights=below / 2, minlength=n_people)
    return PersonStatistics(tuple(people.tolist()), confusion, wins)


def resamples(n_people: int, n: int, seed: int) -> Floats:
    """Weights [n, n_people] of `n` bootstrap resamples: how often each person was drawn."""
    drawn = np.random.default_rng(seed).multinomial(n_people, np.full(n_people, 1 / n_people), size=n)
    return drawn.astype(np.float64)


def interval(value: float, resampled: Floats, confidence: float = 0.95) -> Interval:
    """The percentile interval around a value; resamples in which the score is not defined are left out."""
    defined = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or not len(defined):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(value), float(low), float(high))


def scores_with_intervals(
    statistics: PersonStatistics,
    weights: Floats,
    *,
    level: Level = "windows",
    metrics: Iterable[Metric] = METRICS,
    confidence: float = 0.95,
) -> dict[Metric, Interval]:
    """Every metric of one prediction with its interval; `weights` as from `resamples`."""
    once = np.ones((1, len(statistics.people)))
    return {
        metric: interval(
            float(statistics.score(metric, once, level)[0]), statistics.score(metric, weights, level), confidence
        )
        for metric in metrics
    }


def difference(
    one: PersonStatistics,
    other: PersonStatistics,
    metric: Metric,
    weights: Floats,
    *,
    level: Level = "windows",
    confidence: float = 0.95,
) -> Interval:
    """`one` minus `other` on the same people, both under the same resamples.

    Raises:
        DataError: the two are of different people.
    """
    if one.people != other.people:
        raise DataError("two predictions can be compared only on the same people.")
    once = np.ones((1, len(one.people)))
    value = one.score(metric, once, level) - other.score(metric, once, level)
    resampled = one.score(metric, weights, level) - other.score(metric, weights, level)
    return interval(float(value[0]), resampled, confidence)


def _from_confusion(metric: Metric, confusion: Floats) -> Floats:
    """Scores [n] of confusion matrices [n, 2, 2]; NaN where a class does not occur."""
    support = confusion.sum(axis=2)
    correct = np.diagonal(confusion, axis1=1, axis2=2)
    both = (support > 0).all(axis=1)
    if metric == "accuracy":
        values = _divide(correct.sum(axis=1), support.sum(axis=1))
    elif metric == "balanced_accuracy":
        values = _divide(correct, support).mean(axis=1)
    else:
        values = _divide(2 * correct, support + confusion.sum(axis=1)).mean(axis=1)
    return np.where(both, values, np.nan)


def _divide(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
    return ratio
