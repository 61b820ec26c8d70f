"""Has a network stopped telling anything apart? Seen from an epoch's validation counts; knows nothing of sweeps.

The reported trial 00001 sat at an accuracy of exactly 1/7 from some epoch on: every view got the same name. Such a
trial costs its whole budget and teaches nothing, so it is stopped and named.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgtune.training.result import EpochResult

# One class takes at least so large a share of all predictions: then they are called constant.
CONSTANT = 0.999
# How often chance alone may do as well, for an accuracy to count as better than chance.
SIGNIFICANCE = 0.01
# An encoder whose embeddings lie along one line has a rank of 1.
VANISHED_RANK = 1.01
# An AUC is judged only where random scores stay below this.
TELLING_BOUND = 0.65
# A symptom for so many epochs in a row is a collapse, in a trial that has had its chance.
IN_A_ROW = 2
# Early on a network that learns slowly is above chance by luck now and then, so one sound epoch says little.
WELL_IN_A_ROW = 4
# A trial that has never been sound for so long has had its chance after so many epochs.
CHANCE_EPOCHS = 40


class CollapseWatch:
    """Looks at one epoch after the other.

    A trial has had its chance once it was without a symptom for `WELL_IN_A_ROW` epochs, or after `CHANCE_EPOCHS`.

    Args:
        symptom: what is wrong with an epoch, in words; empty if nothing is.
        memory: of an earlier watch on the same trial.
    """

    def __init__(self, symptom: Callable[[EpochResult], str], memory: dict[str, Any] | None = None) -> None:
        self._symptom = symptom
        self._ill, self._well, self._was_well = 0, 0, False
        if memory:
            self._ill, self._well, self._was_well = int(memory["ill"]), int(memory["well"]), bool(memory["was_well"])

    @property
    def memory(self) -> dict[str, Any]:
        """What another watch needs to go on."""
        return {"ill": self._ill, "well": self._well, "was_well": self._was_well}

    def see(self, result: EpochResult) -> str:
        """Take in an epoch; gives what the collapse consists in, or nothing."""
        symptom = self._symptom(result)
        self._ill, self._well = (self._ill + 1, 0) if symptom else (0, self._well + 1)
        self._was_well = self._was_well or self._well >= WELL_IN_A_ROW
        had_its_chance = self._was_well or result.epoch > CHANCE_EPOCHS
        if self._ill < IN_A_ROW or not had_its_chance:
            return ""
        return f"{symptom}, for {self._ill} epochs in a row"


def pretext_symptom(result: EpochResult, classes: tuple[str, ...]) -> str:
    """Constant predictions, an accuracy that chance explains, or embeddings that are all alike."""
    constant = constant_prediction(result.confusion)
    if constant is not None:
        return f"every view is called {classes[constant]}"
    rank = result.metrics.get("val_embedding_rank", math.inf)
    if rank < VANISHED_RANK:
        return f"the embeddings of all views lie on one line (rank {rank:.2f})"
    if explained_by_chance(result.confusion):
        return f"the accuracy is that of guessing among {len(classes)}"
    return ""


def emotion_symptom(result: EpochResult, classes: tuple[str, ...]) -> str:
    """Constant predictions that do not even rank the windows better than chance does.

    On people it has never seen a sound network may well be at chance, so that alone is no symptom here.
    """
    constant = constant_prediction(result.confusion)
    if constant is None or not _auc_of_chance(result):
        return ""
    return f"every window is called {classes[constant]}, with an AUC of {result.metrics['val_auc']:.2f}"


def constant_prediction(confusion: NDArray[np.int64]) -> int | None:
    """The class that takes all predictions, or None; `confusion` [n_classes, n_classes] has the truth in rows."""
    said = confusion.sum(axis=0)
    first = int(said.argmax())
    return first if said[first] >= CONSTANT * said.sum() else None


def explained_by_chance(confusion: NDArray[np.int64]) -> bool:
    """Whether guessing would be right as often, and twice as good a network would not: binomial bounds.

    Guessing: with a probability above `SIGNIFICANCE`. The other: with one below it, so that few predictions, which
    say nothing for or against, are no symptom. For balanced classes, as the pretext task has them.
    """
    from scipy.special import bdtr, bdtrc  # a tenth of a second, which no trial need wait for to begin

    n, right, n_classes = int(confusion.sum()), int(np.trace(confusion)), len(confusion)
    by_guessing = right == 0 or float(bdtrc(right - 1, n, 1.0 / n_classes)) > SIGNIFICANCE
    return by_guessing and float(bdtr(right, n, 2.0 / n_classes)) < SIGNIFICANCE


def _auc_of_chance(result: EpochResult) -> bool:
    """Whether the AUC is within what random scores reach (normal approximation of the Mann-Whitney statistic)."""
    auc = result.metrics["val_auc"]
    negative, positive = result.confusion.sum(axis=1)
    if not math.isfinite(auc) or not negative * positive:
        return True
    bound = 0.5 + 2.33 * math.sqrt((negative + positive + 1) / (12.0 * negative * positive))
    # With few windows of a class random scores reach far, and say nothing.
    return auc <= bound <= TELLING_BOUND
