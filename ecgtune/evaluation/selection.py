"""What the best of many trials is worth: bootstrap bias-corrected cross-validation.

The best validation score of many trials is optimistic, since part of what made it best was luck. Tsamardinos,
Greasidou & Borboudakis (Machine Learning 107, 2018) estimate what the *selection* is worth from the out-of-fold
predictions of all trials alone: choose the best trial on a bootstrap sample, score that trial on what the sample left
out, and average over many samples. What is sampled here are people, not windows.

Not corrected is a choice made before the predictions were stored, such as the best epoch of each trial.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgtune.errors import DataError
from ecgtune.evaluation.statistics import (
    METRICS,
    Floats,
    Interval,
    Metric,
    PersonStatistics,
    interval,
    person_statistics,
    resamples,
)


@dataclass(frozen=True)
class SelectionEstimate:
    """What selecting the best trial is worth.

    Args:
        winner: the row of the trial with the best score on all people.
        naive: the winner's own scores on all people: optimistic.
        corrected: the scores to be expected of the selected trial on people who had no part in selecting it.
        chosen: [n_trials] the share of resamples in which each trial was the best.
    """

    winner: int
    naive: Mapping[Metric, float]
    corrected: Mapping[Metric, Interval]
    chosen: Floats


def bias_corrected(
    persons: NDArray[np.str_],
    classes: NDArray[np.integer],
    predictions: NDArray[np.floating],
    *,
    metric: Metric,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int,
) -> SelectionEstimate:
    """Estimate what selecting the best trial by `metric`, over pooled windows, is worth.

    Args:
        persons: [n_windows].
        classes: [n_windows], 0 or 1.
        predictions: [n_trials, n_windows] out-of-fold probabilities of class 1, all on the same folds. Windows that
            no trial predicted are NaN in every row and left out.
        metric: by which the best trial is selected, higher being better.
        n_resamples: bootstrap samples of people.
        confidence: of the intervals, which are the spread over the samples' left-out people.
        seed: of the samples.

    Raises:
        DataError: no trial, a trial that lacks predictions others have, or fewer than two people.
    """
    if predictions.ndim != 2 or not predictions.shape[0] or predictions.shape[1] != len(persons):
        raise DataError(
            f"predictions of the shape {predictions.shape} do not fit {len(persons)} windows; "
            "they must be [n_trials, n_windows] with at least one trial."
        )
    predicted = np.isfinite(predictions).any(axis=0)
    trials = [person_statistics(persons[predicted], classes[predicted], row) for row in predictions[:, predicted]]
    n_people = len(trials[0].people)
    if n_people < 2:
        raise DataError(f"{n_people} person is too few to select on some people and score on others.")
    in_bag = resamples(n_people, n_resamples, seed)
    left_out = (in_bag == 0).astype(np.float64)

    selecting = np.nan_to_num(_scores(trials, metric, in_bag), nan=-np.inf)
    best = selecting.argmax(axis=0)
    usable = np.isfinite(selecting.max(axis=0))
    winner = int(np.nan_to_num(_scores(trials, metric, np.ones((1, n_people)))[:, 0], nan=-np.inf).argmax())
    corrected = {}
    for name in METRICS:
        honest = _scores(trials, name, left_out)[best, np.arange(n_resamples)][usable]
        defined = honest[np.isfinite(honest)]
        mean = float(defined.mean()) if len(defined) else float("nan")
        corrected[name] = interval(mean, honest, confidence)
    once = np.ones((1, n_people))
    return SelectionEstimate(
        winner,
        {name: float(trials[winner].score(name, once)[0]) for name in METRICS},
        corrected,
        np.bincount(best[usable], minlength=len(trials)) / max(1, int(usable.sum())),
    )


def _scores(trials: list[PersonStatistics], metric: Metric, weights: Floats) -> Floats:
    """[n_trials, n]."""
    return np.stack([trial.score(metric, weights) for trial in trials])
