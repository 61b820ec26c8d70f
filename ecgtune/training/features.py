"""How features are scaled before a head sees them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgtune.config import EmotionConfig
from ecgtune.models import select
from ecgtune.training.emotion_data import EmotionData

# A feature that hardly varies carries nothing; dividing by its deviation would only blow up rounding errors.
_LEAST_DEVIATION = 1e-6


@dataclass(frozen=True)
class Scaling:
    """Features less a centre, over a scale: first each person's own, then the fold's; identities where not asked for.

    Args:
        person: [n] the number of each window's person.
        person_center: [n_persons, n_features]; so is `person_scale`.
        person_scale: above 0.
        fold_center: [n_folds, n_features], from the fold's training side; so is `fold_scale`.
        fold_scale: above 0.
    """

    person: Tensor
    person_center: Tensor
    person_scale: Tensor
    fold_center: Tensor
    fold_scale: Tensor

    def by_person(self, features: Tensor, index: Tensor | slice = slice(None)) -> Tensor:
        """Scale the features [k, n_features] of the windows `index` [k] by their persons' own."""
        person = self.person[index]
        return (features - self.person_center[person]) / self.person_scale[person]

    def by_fold(self, features: Tensor, fold: int) -> Tensor:
        """Scale features [k, n_features] for one fold."""
        return (features - self.fold_center[fold]) / self.fold_scale[fold]


def pooling_of(config: EmotionConfig, data: EmotionData) -> str:
    """The pooling that a configuration means: its own, or the one of the pretext stage."""
    return data.pooling if config.pooling == "encoder" else config.pooling


def raw_features(config: EmotionConfig, data: EmotionData) -> Tensor:
    """[n, n_features] pooled and not scaled, on the CPU."""
    return select(torch.from_numpy(data.summaries), pooling_of(config, data)).contiguous()


def build_scaling(config: EmotionConfig, data: EmotionData, device: str) -> Scaling:
    """The scaling that a configuration asks for.

    `standardised` uses the training side of each fold alone. `person` uses all windows of each person, labels
    aside, and so looks at the windows of people who are validated on.
    """
    features = raw_features(config, data).numpy()
    names, person = np.unique(data.persons, return_inverse=True)
    person_groups = [np.flatnonzero(person == number) for number in range(len(names))]
    fold_groups = [fold.train for fold in data.folds]
    person_moments = _moments(features, person_groups, wanted=config.features == "person")
    fold_moments = _moments(features, fold_groups, wanted=config.features == "standardised")
    tensors = [torch.from_numpy(part).to(device) for part in (person, *person_moments, *fold_moments)]
    return Scaling(*tensors)


def _moments(
    features: NDArray[np.float32], groups: list[NDArray[np.intp]], *, wanted: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation [n_groups, n_features] of each group, or zeros and ones."""
    shape = (len(groups), features.shape[1])
    if not wanted:
        return np.zeros(shape, dtype=np.float32), np.ones(shape, dtype=np.float32)
    center = np.stack([features[group].mean(axis=0, dtype=np.float64) for group in groups])
    scale = np.stack([features[group].std(axis=0, dtype=np.float64) for group in groups])
    return center.astype(np.float32), np.where(scale > _LEAST_DEVIATION, scale, 1.0).astype(np.float32)
