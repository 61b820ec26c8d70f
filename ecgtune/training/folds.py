"""The seam between the emotion loop and the models of its folds, and what both kinds of models share."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ecgtune.data.splits import Split
from ecgtune.training.seed import numpy_generator


class FoldOutput(NamedTuple):
    """What the folds' models said of some windows.

    Args:
        loss: [n_folds] weighted mean over the windows of each fold.
        probability: [n_folds, n] of class 1, NaN for windows that a fold did not look at.
    """

    loss: NDArray[np.float64]
    probability: NDArray[np.float32]


class FoldModels(Protocol):
    """One model per fold, all trained side by side."""

    @property
    def micro_batch(self) -> int | None:
        """Windows that pass through an encoder together; None where no encoder is trained."""
        ...

    def train(self, epoch: int, rate: float) -> FoldOutput:
        """Train every fold for one epoch (counted from 0); the output is that of the passes trained on."""
        ...

    def validate(self) -> FoldOutput:
        """Look at each fold's validation windows."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything that training changed, copied to the CPU."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        ...

    def encoder_weights(self) -> dict[str, Tensor]:
        """The encoder's state dict, with `fold<k>.` before each name where every fold has its own."""
        ...

    def head_weights(self) -> dict[str, Tensor]:
        """The heads' state dicts with `fold<k>.` before each name, and `fold<k>.center` and `fold<k>.scale`."""
        ...


def epoch_batches(folds: Sequence[Split], batch_size: int, seed: int, epoch: int) -> list[list[NDArray[np.integer]]]:
    """Every fold's training windows in a new order, cut into batches: `[batch][fold] -> index`.

    All folds take the same number of steps, as many as the largest training side needs at `batch_size`; each fold
    spreads its windows evenly over them, so there is no small last batch.
    """
    n_batches = -(-max(len(fold.train) for fold in folds) // batch_size)
    cut = [
        np.array_split(numpy_generator(seed, "order", epoch, number).permutation(fold.train), n_batches)
        for number, fold in enumerate(folds)
    ]
    return [list(batch) for batch in zip(*cut, strict=True)]


class LossSum:
    """Weighted losses of each fold, added up batch by batch."""

    def __init__(self, n_folds: int) -> None:
        self._loss = np.zeros(n_folds)
        self._weight = np.zeros(n_folds)

    def add(self, fold: int | slice, losses: Tensor, weights: Tensor) -> None:
        """Add the losses [..., k] of some windows with their weights, for one fold or all."""
        self._loss[fold] += (losses * weights).sum(dim=-1).detach().double().cpu().numpy()
        self._weight[fold] += weights.sum(dim=-1).double().cpu().numpy()

    def mean(self) -> NDArray[np.float64]:
        """[n_folds]."""
        return self._loss / self._weight
