"""Scores and their resamples, against scikit-learn on windows that are really repeated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score

from ecgtune.errors import DataError
from ecgtune.evaluation.statistics import (
    METRICS,
    difference,
    interval,
    person_statistics,
    resamples,
    scores_with_intervals,
)

REFERENCE = {
    "accuracy": lambda classes, p: accuracy_score(classes, p > 0.5),
    "balanced_accuracy": lambda classes, p: balanced_accuracy_score(classes, p > 0.5),
    "macro_f1": lambda classes, p: f1_score(classes, p > 0.5, average="macro"),
    "auc": roc_auc_score,
}


def cohort(seed, n_people=6, n_windows=12, *, levels=5):
    """Persons of different sizes and shares of class 1, in mixed order, with ties among the probabilities."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, n_windows, n_people)
    persons = np.repeat([f"set:{number:02d}" for number in range(n_people)], sizes)
    classes = (rng.random(len(persons)) < np.repeat(rng.uniform(0.2, 0.8, n_people), sizes)).astype(np.int64)
    probabilities = np.clip(0.2 * classes + rng.integers(0, levels, len(persons)) / levels, 0, 1)
    order = rng.permutation(len(persons))
    return persons[order], classes[order], probabilities[order]


def test_there_is_a_reference_for_every_metric():
    assert set(REFERENCE) == set(METRICS)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_pooled_scores_are_those_of_the_windows_repeated_as_their_people_were_drawn(metric, seed):
    persons, classes, probabilities = cohort(seed)
    statistics = person_statistics(persons, classes, probabilities)
    weights = resamples(len(statistics.people), 5, seed)
    for weight, found in zip(weights, statistics.score(metric, weights), strict=True):
        times = dict(zip(statistics.people, weight.astype(int), strict=True))
        index = np.repeat(np.arange(len(persons)), [times[person] for person in persons])
        if len(np.unique(classes[index])) < 2:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(REFERENCE[metric](classes[index], probabilities[index]), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scores_over_people_are_the_mean_of_each_persons_own(metric, seed):
    persons, classes, probabilities = cohort(seed)
    statistics = person_statistics(persons, classes, probabilities)
    (weights,) = resamples(len(statistics.people), 1, seed)
    own = []
    for person, times in zip(statistics.people, weights.astype(int), strict=True):
        mine = persons == person
        if len(np.unique(classes[mine])) == 2:
            own += [REFERENCE[metric](classes[mine], probabilities[mine])] * times
    (found,) = statistics.score(metric, weights[None], "people")
    assert found == pytest.approx(np.mean(own), abs=1e-12) if own else np.isnan(found)


def test_a_persons_offset_hurts_pooled_windows_but_not_people():
    persons = np.repeat(["a", "b"], 20)
    classes = np.tile([0, 1], 20)
    probabilities = 0.1 * classes + np.where(persons == "a", 0.1, 0.7)
    statistics = person_statistics(persons, classes, probabilities)
    once = np.ones((1, 2))
    assert statistics.score("auc", once)[0] == pytest.approx(0.75)
    assert statistics.score("auc", once, "people")[0] == pytest.approx(1.0)


def test_resamples_draw_as_many_people_as_there_are_and_repeat_with_the_seed():
    weights = resamples(7, 500, seed=3)
    assert (weights.sum(axis=1) == 7).all()
    assert np.array_equal(weights, resamples(7, 500, seed=3))
    assert not np.array_equal(weights, resamples(7, 500, seed=4))
    # A person is left out with probability (1 - 1/7) ** 7.
    assert (weights == 0).mean() == pytest.approx((6 / 7) ** 7, abs=0.02)


def test_intervals_hold_the_truth_as_often_as_they_claim():
    rng = np.random.default_rng(0)
    inside = 0
    for repeat in range(300):
        skill = np.clip(rng.normal(0.7, 0.1, 30), 0, 1)
        persons = np.repeat([f"{number:02d}" for number in range(30)], 10)
        classes = np.tile([0, 1], 150)
        right = rng.random(300) < np.repeat(skill, 10)
        probabilities = np.where(right, classes, 1 - classes).astype(float)
        statistics = person_statistics(persons, classes, probabilities)
        found = scores_with_intervals(statistics, resamples(30, 400, repeat), metrics=["balanced_accuracy"])
        inside += found["balanced_accuracy"].low <= 0.7 <= found["balanced_accuracy"].high
    assert 0.89 <= inside / 300 <= 0.98


def test_intervals_are_wider_than_those_of_independent_windows():
    """Ten copies of a window are one window: the interval must not shrink."""
    persons, classes, probabilities = cohort(1, n_people=20)
    once = scores_with_intervals(person_statistics(persons, classes, probabilities), resamples(20, 500, 0))
    copies = [np.repeat(values, 10) for values in (persons, classes, probabilities)]
    assert scores_with_intervals(person_statistics(*copies), resamples(20, 500, 0)) == once


def test_undefined_resamples_are_left_out_and_an_undefined_score_says_so():
    persons, classes = np.array(["a", "a", "b"]), np.array([0, 0, 1])
    statistics = person_statistics(persons, classes, np.array([0.1, 0.2, 0.9]))
    found = scores_with_intervals(statistics, resamples(2, 100, 0))
    assert (found["auc"].value, found["auc"].low, found["auc"].high) == (1.0, 1.0, 1.0)
    assert np.isnan(scores_with_intervals(statistics, resamples(2, 100, 0), level="people")["auc"].value)
    single = person_statistics(persons[:2], classes[:2], np.array([0.1, 0.2]))
    assert np.isnan(scores_with_intervals(single, resamples(1, 10, 0))["balanced_accuracy"].value)


def test_interval_takes_the_quantiles_asked_for():
    found = interval(0.5, np.append(np.linspace(0, 1, 101), np.nan), confidence=0.8)
    assert (found.value, found.low, found.high) == (0.5, pytest.approx(0.1), pytest.approx(0.9))


def test_difference_is_paired():
    persons, classes, probabilities = cohort(2, n_people=12)
    one = person_statistics(persons, classes, probabilities)
    weights = resamples(12, 300, 0)
    nothing = difference(one, one, "auc", weights)
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 0.0)
    worse = person_statistics(persons, classes, 1 - probabilities)
    found = difference(one, worse, "auc", weights)
    assert found.value == pytest.approx(2 * roc_auc_score(classes, probabilities) - 1)
    assert found.low > 0
    with pytest.raises(DataError, match="same people"):
        difference(one, person_statistics(persons[:3], classes[:3], probabilities[:3]), "auc", weights)


def test_the_threshold_is_exclusive():
    statistics = person_statistics(np.array(["a", "a"]), np.array([0, 1]), np.array([0.5, 0.6]))
    assert statistics.confusion[0].tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("n_persons", "classes", "probabilities", "said"),
    [(2, [0, 1, 1], [0.1, 0.2, 0.3], "as many of each"), (0, [], [], "at least one"), (1, [1], [np.nan], "finite")],
)
def test_what_cannot_be_counted_is_refused(n_persons, classes, probabilities, said):
    with pytest.raises(DataError, match=said):
        person_statistics(np.array(["a"] * n_persons), np.array(classes, dtype=int), np.array(probabilities))
