"""Heart rate on real recordings: rest against mental arithmetic."""

import numpy as np
import pytest

from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import subject_folds
from ecgtune.data.store import load_dataset
from ecgtune.evaluation.baselines import logistic, majority
from ecgtune.evaluation.heart_rate import heart_rate_features
from ecgtune.evaluation.table import Candidate, evaluate_predictions


@pytest.mark.slow
def test_heart_rate_tells_arithmetic_from_rest_as_it_did_elsewhere(real_data, run_cli, tmp_path):
    folder = tmp_path / "eegmat"
    assert run_cli("data", "prepare", "eegmat", real_data / "eegmat", "--out", folder).exit_code == 0
    dataset = load_dataset(folder)
    pool = WindowPool([dataset])
    target, scores = dataset.target("arithmetic")
    classes = (scores[dataset.good] > target.threshold).astype(np.int64)
    folds = subject_folds(pool.persons, classes, n_folds=5, seed=0)
    rate = heart_rate_features(pool, dataset.sfreq, tmp_path / "cache")[:, :1]
    assert np.isfinite(rate).all()
    raw, person, nothing = evaluate_predictions(
        pool.persons,
        classes,
        [
            Candidate("heart rate", logistic(rate, classes, pool.persons, folds, scaling="raw")),
            Candidate("by person", logistic(rate, classes, pool.persons, folds, scaling="person"), transductive=True),
            Candidate("majority class", majority(classes, folds)),
        ],
        seed=0,
    )
    # Leave-one-subject-out on all 36 people of the set gave 0.77 and 0.95.
    assert raw.windows["auc"].low < 0.77 < raw.windows["auc"].high
    assert person.windows["auc"].low < 0.95 < person.windows["auc"].high
    assert person.lead["auc"].high < 0
    assert (nothing.windows["balanced_accuracy"].value, nothing.windows["auc"].value) == (0.5, 0.5)
