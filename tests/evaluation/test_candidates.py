"""An emotion sweep's stored predictions and its baselines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgtune.data.splits import subject_folds
from ecgtune.errors import InputError
from ecgtune.evaluation.candidates import baselines, is_default, on_random_encoder, stored
from ecgtune.evaluation.sweep_definition import emotion_sweep
from ecgtune.sweep.emotion_job import open_emotion
from ecgtune.training.predictions import PREDICTIONS


@pytest.fixture
def sweep(workshop):
    return emotion_sweep(workshop.sweep())


@pytest.fixture
def data(sweep):
    return open_emotion(sweep.job)


def test_stored_predictions_come_in_the_order_of_the_data(sweep, data):
    model = sweep.folder.best
    table = pd.read_csv(model / PREDICTIONS)
    table.sample(frac=1, random_state=0).to_csv(model / PREDICTIONS, index=False)
    expected = table.set_index("row").loc[data.rows, "probability"]
    np.testing.assert_allclose(stored(model, data), expected, rtol=1e-6)


def test_other_classes_are_refused_though_rows_and_folds_coincide(sweep, data):
    flipped = replace(data, classes=1 - data.classes)
    assert np.array_equal(flipped.fold_of, data.fold_of)
    with pytest.raises(InputError, match="predicts other classes: its target, its threshold or its data"):
        stored(sweep.folder.best, flipped)


def test_other_folds_are_refused(sweep, data):
    folds = subject_folds(data.persons, data.classes, n_folds=3, seed=1, validate_on=set(data.persons.tolist()))
    with pytest.raises(InputError, match="was trained on other folds"):
        stored(sweep.folder.best, replace(data, folds=folds))


def test_windows_that_the_data_do_not_have_are_refused(sweep, data):
    with pytest.raises(InputError, match="predicts windows that the data set does not have"):
        stored(sweep.folder.best, replace(data, rows=data.rows + 1))


def test_the_default_configuration_is_known_by_its_values(sweep):
    first, second = (sweep.folder.trial(trial) / "best" for trial in ("00000", "00001"))
    assert is_default(first, {})
    assert not is_default(second, {})
    # What the space fixes belongs to its default.
    assert is_default(second, {"emotion/features": "person"})


def test_the_baselines_know_nothing_of_an_encoder(data, tmp_path):
    majority, rate, own = baselines(data, tmp_path)
    assert [c.transductive for c in (majority, rate, own)] == [False, False, True]
    assert set(majority.probabilities) <= {0.0, 1.0}
    # The data's hearts beat faster in class 1.
    for candidate in (rate, own):
        high, low = (candidate.probabilities[data.classes == value].mean() for value in (1, 0))
        assert high > low + 0.3


@pytest.mark.parametrize(("mode", "pick"), [("max", np.argmax), ("min", np.argmin)])
def test_a_random_encoder_is_scored_at_its_own_best_epoch(sweep, data, tmp_path, monkeypatch, mode, pick):
    seen = []

    def remember(*args, **kwargs):
        from ecgtune.training.finetune import finetune

        for result in finetune(*args, **kwargs):
            seen.append((result.metrics["val_loss"], result.snapshot().predictions.copy()))
            yield result

    monkeypatch.setattr("ecgtune.evaluation.candidates.finetune", remember)
    winner = sweep.folder.trial("00001") / "best"
    found = on_random_encoder(
        winner, Path(sweep.job.model), data, epochs=3, metric="val_loss", mode=mode, seed=0, number=2, cache=tmp_path
    )
    assert (found.name, found.transductive) == ("random encoder 2, same head", True)
    assert len(seen) == 3
    np.testing.assert_array_equal(found.probabilities, seen[int(pick([loss for loss, _ in seen]))][1])
    assert not np.allclose(found.probabilities, stored(winner, data))
