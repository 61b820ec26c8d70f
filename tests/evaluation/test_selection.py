"""The correction for having selected the best of many trials."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from ecgtune.errors import DataError
from ecgtune.evaluation.selection import bias_corrected
from ecgtune.evaluation.statistics import METRICS, resamples


def cohort(seed, n_trials, skill=0.0, n_people=20, n_windows=10):
    """Trials that guess at random; the first one knows the class to the extent of `skill`."""
    rng = np.random.default_rng(seed)
    persons = np.repeat([f"set:{number:02d}" for number in range(n_people)], n_windows)
    classes = np.tile([0, 1], len(persons) // 2)
    predictions = rng.random((n_trials, len(persons)))
    predictions[0] = (1 - skill) * predictions[0] + skill * classes
    return persons, classes, predictions


def test_against_the_definition_written_out_in_loops():
    persons, classes, predictions = cohort(0, n_trials=5, n_people=8)
    found = bias_corrected(persons, classes, predictions, metric="auc", n_resamples=60, seed=7)
    honest = {"auc": [], "balanced_accuracy": []}
    people = np.unique(persons)
    for weights in resamples(8, 60, seed=7):
        drawn = [person for person, times in zip(people, weights.astype(int), strict=True) for _ in range(times)]
        inside = np.concatenate([np.flatnonzero(persons == person) for person in drawn])
        outside = np.flatnonzero(~np.isin(persons, drawn))
        best = max(range(5), key=lambda trial: roc_auc_score(classes[inside], predictions[trial, inside]))
        honest["auc"].append(roc_auc_score(classes[outside], predictions[best, outside]))
        guesses = predictions[best, outside] > 0.5
        honest["balanced_accuracy"].append(balanced_accuracy_score(classes[outside], guesses))
    for metric, values in honest.items():
        assert found.corrected[metric].value == pytest.approx(np.mean(values))
        assert found.corrected[metric].low == pytest.approx(np.quantile(values, 0.025))
        assert found.corrected[metric].high == pytest.approx(np.quantile(values, 0.975))


@pytest.mark.parametrize("metric", METRICS)
def test_the_best_of_many_random_trials_is_worth_nothing(metric):
    naive, corrected = [], []
    for seed in range(20):
        persons, classes, predictions = cohort(seed, n_trials=60)
        found = bias_corrected(persons, classes, predictions, metric=metric, n_resamples=50, seed=seed)
        naive.append(found.naive[metric])
        corrected.append(found.corrected[metric].value)
    assert np.mean(naive) > 0.56
    assert np.mean(corrected) == pytest.approx(0.5, abs=0.02)


def test_a_trial_that_is_really_better_keeps_its_score():
    persons, classes, predictions = cohort(0, n_trials=50, skill=0.4)
    found = bias_corrected(persons, classes, predictions, metric="auc", n_resamples=300, seed=0)
    assert found.winner == 0
    assert found.naive["auc"] > 0.9
    assert found.corrected["auc"].value == pytest.approx(found.naive["auc"], abs=0.01)
    assert found.chosen[0] == 1.0
    assert found.chosen.sum() == pytest.approx(1.0)


def test_one_trial_has_nothing_to_correct():
    persons, classes, predictions = cohort(1, n_trials=1, skill=0.2)
    found = bias_corrected(persons, classes, predictions, metric="balanced_accuracy", n_resamples=2000, seed=0)
    assert found.corrected["auc"].value == pytest.approx(found.naive["auc"], abs=0.01)


def test_it_repeats_with_the_seed():
    cohort_ = cohort(2, n_trials=10)
    one = bias_corrected(*cohort_, metric="auc", n_resamples=50, seed=1)
    assert bias_corrected(*cohort_, metric="auc", n_resamples=50, seed=1).corrected == one.corrected
    assert bias_corrected(*cohort_, metric="auc", n_resamples=50, seed=2).corrected != one.corrected


def test_windows_that_no_trial_predicted_are_left_out():
    persons, classes, predictions = cohort(3, n_trials=4)
    whole = bias_corrected(persons, classes, predictions, metric="auc", n_resamples=50, seed=0)
    persons = np.append(persons, ["set:99"] * 3)
    classes = np.append(classes, [0, 1, 1])
    predictions = np.hstack([predictions, np.full((4, 3), np.nan)])
    assert bias_corrected(persons, classes, predictions, metric="auc", n_resamples=50, seed=0).naive == whole.naive


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p, c, y: (p, c, y[0]), "must be \\[n_trials, n_windows\\]"),
        (lambda p, c, y: (p, c, y[:, :5]), "do not fit"),
        (lambda p, c, y: (p, c, y[:0]), "at least one trial"),
        (lambda p, c, y: (p, c, np.where(np.arange(3)[:, None] == 1, np.nan, y)), "not a finite number"),
        (lambda p, c, y: (np.full_like(p, "one"), c, y), "1 person is too few"),
    ],
)
def test_what_does_not_fit_is_refused(change, said):
    with pytest.raises(DataError, match=said):
        bias_corrected(*change(*cohort(4, n_trials=3)), metric="auc", seed=0)
