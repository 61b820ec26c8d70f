"""Baselines on given folds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ecgtune.data.splits import Split, subject_folds
from ecgtune.errors import DataError, LeakError
from ecgtune.evaluation.baselines import logistic, majority, per_person


def cohort(seed, effect=0.0, n_people=20, n_windows=16):
    """A feature with a large offset and scale of each person's own, and the effect of the class on top."""
    rng = np.random.default_rng(seed)
    persons = np.repeat([f"set:{number:02d}" for number in range(n_people)], n_windows)
    classes = np.tile([0, 0, 0, 1], len(persons) // 4)
    scale = np.repeat(rng.uniform(0.5, 2, n_people), n_windows)
    features = np.repeat(rng.normal(80, 10, n_people), n_windows) + scale * (
        rng.normal(size=len(persons)) + effect * classes
    )
    return features[:, None], classes, persons, subject_folds(persons, classes, n_folds=5, seed=0)


def test_majority_guesses_the_training_sides_class():
    classes = np.array([0, 0, 1, 1, 1, 0])
    folds = (Split(np.array([2, 3, 5]), np.array([0, 1])), Split(np.array([0, 1, 5]), np.array([2])))
    assert majority(classes, folds)[:3].tolist() == [1.0, 1.0, 0.0]
    assert np.isnan(majority(classes, folds)[3:]).all()


def test_majority_learns_nothing_from_the_shares_of_the_folds():
    _, classes, _, folds = cohort(0)
    classes = np.where(np.arange(len(classes)) < 64, 0, classes)
    assert set(majority(classes, folds)) == {0.0}


def test_logistic_against_plain_scikit_learn():
    features, classes, persons, folds = cohort(1, effect=3.0)
    features = np.hstack([features, np.random.default_rng(0).normal(size=features.shape)])
    found = logistic(features, classes, persons, folds, scaling="raw")
    for fold in folds:
        mean, spread = features[fold.train].mean(axis=0), features[fold.train].std(axis=0)
        model = LogisticRegression(class_weight="balanced").fit(
            (features[fold.train] - mean) / spread, classes[fold.train]
        )
        expected = model.predict_proba((features[fold.val] - mean) / spread)[:, 1]
        assert found[fold.val] == pytest.approx(expected, abs=1e-6)


def test_scaling_by_person_takes_their_offsets_away():
    features, classes, persons, folds = cohort(2, effect=2.0)
    raw = logistic(features, classes, persons, folds, scaling="raw")
    person = logistic(features, classes, persons, folds, scaling="person")
    assert roc_auc_score(classes, raw) < 0.65
    assert roc_auc_score(classes, person) > 0.85


@pytest.mark.parametrize("scaling", ["raw", "person"])
def test_shuffled_labels_find_nothing(scaling):
    found = []
    for seed in range(20):
        features, classes, persons, _ = cohort(seed, effect=3.0)
        shuffled = np.random.default_rng(seed).permutation(classes)
        folds = subject_folds(persons, shuffled, n_folds=5, seed=seed)
        found.append(roc_auc_score(shuffled, logistic(features, shuffled, persons, folds, scaling=scaling)))
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)


def test_the_validation_labels_have_no_part_in_it():
    features, classes, persons, folds = cohort(3, effect=1.0)
    before = logistic(features, classes, persons, folds[:1], scaling="raw")[folds[0].val]
    flipped = classes.copy()
    flipped[folds[0].val] = 1 - flipped[folds[0].val]
    assert np.array_equal(before, logistic(features, flipped, persons, folds[:1], scaling="raw")[folds[0].val])


def test_missing_features_take_the_training_median():
    features, classes, persons, folds = cohort(4, effect=2.0)
    fold = folds[0]
    gaps, filled = features.copy(), features.copy()
    gaps[fold.val[:5]] = np.nan
    filled[fold.val[:5]] = np.median(features[fold.train])
    found = logistic(gaps, classes, persons, (fold,), scaling="raw")
    assert np.allclose(found[fold.val], logistic(filled, classes, persons, (fold,), scaling="raw")[fold.val])


def test_windows_outside_the_folds_stay_unpredicted():
    features, classes, persons, folds = cohort(5)
    found = logistic(features, classes, persons, folds[:2], scaling="raw")
    assert np.isnan(found).sum() == len(classes) - len(folds[0].val) - len(folds[1].val)


def test_what_cannot_be_done_is_refused():
    features, classes, persons, folds = cohort(6)
    with pytest.raises(DataError, match="missing in every window"):
        logistic(np.full_like(features, np.nan), classes, persons, folds, scaling="raw")
    leaking = Split(np.arange(0, 40), np.arange(40, 60))
    with pytest.raises(LeakError):
        logistic(features, classes, persons, (leaking,), scaling="raw")


def test_per_person():
    persons = np.array(["a", "b", "a", "b", "a", "c"])
    features = np.array([[1.0, 5], [2, 7], [3, np.nan], [2, 9], [5, 7], [4, np.nan]])
    found = per_person(features, persons)
    for person in ("a", "b", "c"):
        mine = features[persons == person]
        for column in (0, 1):
            values = mine[:, column]
            expected = (
                (values - np.nanmean(values)) / (np.nanstd(values) or 1.0) if np.isfinite(values).any() else values
            )
            np.testing.assert_allclose(found[persons == person][:, column], expected)
