"""An emotion sweep's predictions, and those of the baselines on exactly its folds."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgtune.config import EmotionConfig, EncoderConfig, Scalar, configure
from ecgtune.data.pool import WindowPool
from ecgtune.errors import InputError
from ecgtune.evaluation.baselines import logistic, majority
from ecgtune.evaluation.heart_rate import heart_rate_features
from ecgtune.evaluation.table import Candidate
from ecgtune.training.checkpoint import load_card, load_encoder, read_card
from ecgtune.training.embed import summaries
from ecgtune.training.emotion_data import EmotionData
from ecgtune.training.finetune import finetune
from ecgtune.training.predictions import PREDICTIONS, read_predictions
from ecgtune.training.random_encoder import random_encoder


def stored(model: Path, data: EmotionData) -> NDArray[np.float32]:
    """A model's out-of-fold probabilities [n] in the order of `data`.

    Raises:
        InputError: they belong to other windows, classes or folds.
    """
    table = read_predictions(model / PREDICTIONS)
    order = {int(row): index for index, row in enumerate(data.rows)}
    try:
        index = np.array([order[int(row)] for row in table["row"]], dtype=np.intp)
    except KeyError as error:
        raise InputError(f"{model} predicts windows that the data set does not have; was it prepared anew?") from error
    if not np.array_equal(data.classes[index], table["truth"]):
        raise InputError(
            f"{model} predicts other classes: its target, its threshold or its data are not those of the sweep that "
            "it is compared with. Evaluate it by itself."
        )
    if not np.array_equal(data.fold_of[index] + 1, table["fold"]):
        raise InputError(
            f"{model} was trained on other folds, so it cannot be compared. Use the same --seed and --folds."
        )
    probabilities = np.full(len(data.rows), np.nan, dtype=np.float32)
    probabilities[index] = table["probability"]
    return probabilities


def is_default(model: Path, fixed: Mapping[str, Scalar]) -> bool:
    """Whether a model was trained with the default configuration, beside what its search space fixes."""
    given: dict[str, Any] = read_card(model)["parameters"]
    defaults = configure(EmotionConfig, fixed, where="search space")
    return configure(EmotionConfig, given, where=str(model)) == defaults


def baselines(data: EmotionData, cache: Path) -> list[Candidate]:
    """The majority class, and the heart rate alone: raw, and against each person's own."""
    pool = WindowPool([data.dataset])
    position = np.searchsorted(np.flatnonzero(data.dataset.good), data.rows)
    rate = heart_rate_features(pool, data.dataset.sfreq, cache)[position, :1]
    raw = logistic(rate, data.classes, data.persons, data.folds, scaling="raw")
    own = logistic(rate, data.classes, data.persons, data.folds, scaling="person")
    return [
        Candidate("majority class", majority(data.classes, data.folds)),
        Candidate("heart rate alone", raw),
        Candidate("heart rate alone, per person", own, transductive=True),
    ]


def on_random_encoder(
    winner: Path,
    pretext: Path,
    data: EmotionData,
    *,
    epochs: int,
    metric: str,
    mode: str,
    seed: int,
    number: int,
    cache: Path,
) -> Candidate:
    """The winner's configuration on an encoder with random weights, at its own best epoch, as the winner is.

    Args:
        winner: an emotion model's folder.
        pretext: the folder of the pretext model that it stands on.
        data: what it was trained on.
        epochs: as many as the sweep allowed.
        metric: that chooses the epoch.
        mode: `min` or `max`.
        seed: of the heads' training.
        number: which random encoder, 1 the first.
        cache: for the encoder and its features.
    """
    config = configure(EmotionConfig, load_card(winner)["parameters"], where=str(winner))
    encoder, card = load_encoder(random_encoder(pretext, number, cache))
    kept = summaries(encoder, EncoderConfig(**card["architecture"]["encoder"]), data.dataset, cache=None)
    features = np.ascontiguousarray(kept[data.rows])
    random_data = replace(data, summaries=features, encoder=encoder, card=card)
    sign = -1.0 if mode == "min" else 1.0
    best, predictions = -np.inf, np.full(len(data.rows), np.nan, dtype=np.float32)
    for result in finetune(config, random_data, epochs=epochs, seed=seed):
        if sign * result.metrics[metric] > best:
            best = sign * result.metrics[metric]
            found = result.snapshot().predictions
            predictions = predictions if found is None else found
    return Candidate(f"random encoder {number}, same head", predictions, config.features == "person")
