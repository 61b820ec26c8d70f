"""What a network has to beat, on exactly its folds: the majority class, and a logistic regression on a few features."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.splits import Split, require_disjoint
from ecgtune.errors import DataError

Scaling: TypeAlias = Literal["raw", "person"]


def majority(classes: NDArray[np.integer], folds: Sequence[Split]) -> NDArray[np.float64]:
    """Guess the class that most training windows of the fold have; class 0 if they are even.

    Args:
        classes: [n], 0 or 1.
        folds: each window is in the validation side of at most one.

    Returns:
        [n] out-of-fold probabilities of class 1, each 0 or 1: the training share itself would differ between folds,
        against the validation side, and give an AUC below chance. NaN for windows that no fold validates on.
    """
    guesses = np.full(len(classes), np.nan)
    for fold in folds:
        guesses[fold.val] = float(np.mean(classes[fold.train]) > 0.5)
    return guesses


def logistic(
    features: NDArray[np.floating],
    classes: NDArray[np.integer],
    persons: NDArray[np.str_],
    folds: Sequence[Split],
    *,
    scaling: Scaling,
) -> NDArray[np.float64]:
    """Logistic regression with balanced class weights, trained anew on each fold's training side.

    Args:
        features: [n, n_features]; what is missing is NaN and takes the training side's median.
        classes: [n], 0 or 1.
        persons: [n].
        folds: each window is in the validation side of at most one.
        scaling: `raw` standardises by the training side's mean and standard deviation; `person` first by each
            person's own over all of that person's windows, which needs the whole recording of a person before the
            first answer: a transductive result.

    Returns:
        [n] out-of-fold probabilities of class 1; NaN for windows that no fold validates on.

    Raises:
        DataError: a feature that is missing in every window.
        LeakError: a fold with a person on both sides.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if np.isnan(features).all(axis=0).any():
        raise DataError("a feature is missing in every window: no beats were found. See `ecgtune data info`.")
    if scaling == "person":
        features = per_person(features, persons)
    probabilities = np.full(len(classes), np.nan)
    for fold in folds:
        require_disjoint(persons[fold.train], persons[fold.val])
        model = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(class_weight="balanced"),
        )
        model.fit(features[fold.train], classes[fold.train])
        probabilities[fold.val] = model.predict_proba(features[fold.val])[:, 1]
    return probabilities


def per_person(features: NDArray[np.floating], persons: NDArray[np.str_]) -> NDArray[np.float64]:
    """Features [n, n_features] minus each person's mean, over each person's standard deviation; NaN stays.

    A feature that does not vary within a person becomes 0 there.
    """
    scaled = np.full(features.shape, np.nan)
    for person in np.unique(persons):
        mine = persons == person
        values = features[mine].astype(np.float64)
        known = np.isfinite(values)
        counts = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, values, 0.0).sum(axis=0) / counts
        spread = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / counts)
        scaled[mine] = (values - mean) / np.where(spread > 1e-12 * np.abs(mean), spread, 1.0)
    return scaled
