"""Predictions of several candidates side by side, on the same windows and the same resamples of people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgtune.errors import DataError
from ecgtune.evaluation.statistics import (
    METRICS,
    Interval,
    Metric,
    difference,
    person_statistics,
    resamples,
    scores_with_intervals,
)


@dataclass(frozen=True)
class Candidate:
    """Out-of-fold predictions to be compared.

    Args:
        name: as it is to appear in the table.
        probabilities: [n] of class 1; NaN for windows that no fold validates on.
        transductive: whether a person's own unlabelled windows were used beyond the one to be classified.
    """

    name: str
    probabilities: NDArray[np.floating]
    transductive: bool = False


@dataclass(frozen=True)
class Row:
    """One candidate's scores.

    Args:
        name: of the candidate.
        transductive: of the candidate.
        n_windows: windows that were scored.
        n_people: people who were scored and resampled.
        windows: scores over pooled windows.
        people: mean scores over the people who show both classes.
        lead: the reference's score minus this one's, over pooled windows; empty in the reference's own row.
    """

    name: str
    transductive: bool
    n_windows: int
    n_people: int
    windows: Mapping[Metric, Interval]
    people: Mapping[Metric, Interval]
    lead: Mapping[Metric, Interval]


def evaluate_predictions(
    persons: NDArray[np.str_],
    classes: NDArray[np.integer],
    candidates: Sequence[Candidate],
    *,
    n_resamples: int = 2000,
    confidence: float = 0.95,
    seed: int,
) -> tuple[Row, ...]:
    """Score candidates; the first one is the reference that the others are compared with.

    Args:
        persons: [n].
        classes: [n], 0 or 1.
        candidates: at least one; all predict the same windows.
        n_resamples: bootstrap samples of people.
        confidence: of the intervals.
        seed: of the resamples, which are the same for all candidates.

    Returns:
        One row per candidate, in their order.

    Raises:
        DataError: no candidate, or candidates that predict different windows.
    """
    if not candidates:
        raise DataError("no predictions were given.")
    scored = np.isfinite(candidates[0].probabilities)
    for candidate in candidates[1:]:
        if not np.array_equal(scored, np.isfinite(candidate.probabilities)):
            raise DataError(
                f"{candidate.name} and {candidates[0].name} predict different windows; both must use the same folds."
            )
    statistics = [person_statistics(persons[scored], classes[scored], c.probabilities[scored]) for c in candidates]
    reference = statistics[0]
    weights = resamples(len(reference.people), n_resamples, seed)
    return tuple(
        Row(
            candidate.name,
            candidate.transductive,
            int(scored.sum()),
            len(reference.people),
            scores_with_intervals(counts, weights, level="windows", confidence=confidence),
            scores_with_intervals(counts, weights, level="people", confidence=confidence),
            {metric: difference(reference, counts, metric, weights, confidence=confidence) for metric in METRICS}
            if counts is not reference
            else {},
        )
        for candidate, counts in zip(candidates, statistics, strict=True)
    )
