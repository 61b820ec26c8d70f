import math

import numpy as np
import pytest
from scipy.stats import binom

from ecgtune.training.collapse import (
    CHANCE_EPOCHS,
    CollapseWatch,
    constant_prediction,
    emotion_symptom,
    explained_by_chance,
    pretext_symptom,
)
from ecgtune.training.result import EpochResult

CLASSES = tuple("abcdefg")


def epoch(number=1, confusion=None, **metrics):
    confusion = np.eye(7, dtype=np.int64) * 10 if confusion is None else confusion
    return EpochResult(number, 1e-3, {"val_auc": 0.5, **metrics}, 1.0, 1.0, confusion, lambda: None)


def guessing(right, n=700, n_classes=7):
    """Balanced counts of which `right` are right, the errors spread over the other classes."""
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    per_class = n // n_classes
    for k in range(n_classes):
        hits = right // n_classes + (k < right % n_classes)
        counts[k, k] = hits
        for i in range(per_class - hits):
            counts[k, (k + 1 + i % (n_classes - 1)) % n_classes] += 1
    return counts


def column(k, n_classes=7, n=100, stray=0):
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    counts[:, k] = n
    counts[0, k] -= stray
    counts[0, (k + 1) % n_classes] += stray
    return counts


@pytest.mark.parametrize("right", range(80, 140))
def test_the_bound_is_the_binomial_one(right):
    counts = guessing(right)
    assert counts.sum() == 700
    assert np.trace(counts) == right
    assert binom.cdf(right, 700, 2 / 7) < 0.01
    assert explained_by_chance(counts) == (binom.sf(right - 1, 700, 1 / 7) > 0.01)


@pytest.mark.parametrize(("n", "right", "ill"), [(140, 20, True), (140, 29, False), (70, 10, True), (35, 5, False)])
def test_few_predictions_are_no_evidence(n, right, ill):
    """29 of 140 may be guessing, and may be a network that is right twice as often."""
    assert explained_by_chance(guessing(right, n)) == ill


def test_nothing_right_is_no_better_than_chance():
    assert explained_by_chance(guessing(0))


def test_constant_predictions():
    assert constant_prediction(column(3)) == 3
    assert constant_prediction(column(3, n=10_000, stray=5)) == 3
    assert constant_prediction(column(3, stray=5)) is None
    assert constant_prediction(np.eye(7, dtype=np.int64)) is None


@pytest.mark.parametrize(
    ("confusion", "metrics", "said"),
    [
        (column(3), {}, "every view is called d"),
        (guessing(105), {}, "guessing among 7"),
        (guessing(400), {"val_embedding_rank": 1.0}, "one line"),
        (guessing(400), {"val_embedding_rank": 0.0}, "one line"),
        (guessing(400), {"val_embedding_rank": 1.5}, ""),
        (guessing(400), {}, ""),
    ],
)
def test_symptoms_of_the_pretext_stage(confusion, metrics, said):
    symptom = pretext_symptom(epoch(confusion=confusion, **metrics), CLASSES)
    assert said in symptom
    assert bool(symptom) == bool(said)


@pytest.mark.parametrize(
    ("confusion", "auc", "ill"),
    [
        ([[0, 300], [0, 100]], 0.5, True),
        ([[300, 0], [100, 0]], 0.52, True),
        ([[300, 0], [100, 0]], math.nan, True),
        # Everybody is called the majority's name, and yet the scores tell the classes apart.
        ([[300, 0], [100, 0]], 0.75, False),
        # Ten windows of a class: random scores would reach .7.
        ([[390, 0], [10, 0]], 0.5, False),
        # At chance, but not constant: that is what many sound networks are on unknown people.
        ([[150, 150], [50, 50]], 0.5, False),
    ],
)
def test_symptoms_of_the_emotion_stage(confusion, auc, ill):
    assert bool(emotion_symptom(epoch(confusion=np.array(confusion), val_auc=auc), ("low", "high"))) == ill


def verdicts(symptoms, memory=None, first=1):
    """What a watch says to epochs with (1) or without (0) a symptom."""
    flags = iter(symptoms)
    watch = CollapseWatch(lambda _: "ill" if next(flags) else "", memory)
    said = [bool(watch.see(epoch(number))) for number in range(first, first + len(symptoms))]
    return said, watch


@pytest.mark.parametrize(
    ("symptoms", "caught_at"),
    [
        ([0, 0, 0, 0, 1, 1, 1], 6),
        ([0, 0, 0, 1, 1, 1, 1], None),
        ([0, 0, 0, 0, 1, 0, 1, 0, 1], None),
        ([1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 1], 11),
        ([1] * CHANCE_EPOCHS, None),
        ([1] * (CHANCE_EPOCHS + 1), CHANCE_EPOCHS + 1),
        ([0] * 30, None),
    ],
)
def test_a_trial_has_its_chance(symptoms, caught_at):
    said, _ = verdicts(symptoms)
    assert said.index(True) + 1 == caught_at if caught_at else not any(said)


@pytest.mark.parametrize("cut", range(8))
def test_another_watch_goes_on(cut):
    symptoms = [1, 0, 0, 0, 0, 1, 1, 1]
    whole, _ = verdicts(symptoms)
    head, watch = verdicts(symptoms[:cut])
    tail, _ = verdicts(symptoms[cut:], watch.memory, first=cut + 1)
    assert head + tail == whole
