"""What a training generator yields after each epoch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Snapshot:
    """The state after one epoch, copied to the CPU, so that training may go on.

    Args:
        encoder: the encoder's state dict; with one encoder per fold the names begin with `fold<k>.`, k from 0.
        heads: the heads' state dict; in the emotion stage the names begin with `fold<k>.`.
        resume: what the generator needs to go on from here; loads with `torch.load(weights_only=True)`.
        predictions: emotion stage: [n_windows] float32, the out-of-fold probability of the positive class, NaN
            for windows that no fold validates on.
    """

    encoder: dict[str, Tensor]
    heads: dict[str, Tensor]
    resume: dict[str, Any]
    predictions: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class EpochResult:
    """One epoch's outcome.

    Args:
        epoch: counted from 1.
        lr: the learning rate used in this epoch.
        metrics: finite numbers, or NaN where a value is not a finite number.
        seconds: wall time of the epoch, validation included.
        throughput: views per second (pretext) or windows per second (emotion), training only.
        confusion: [n_classes, n_classes] validation counts, rows are the truth.
        snapshot: makes a copy of the state; call it before the generator goes on.
        micro_batch: windows that passed through the encoder together; None where no encoder was trained.
    """

    epoch: int
    lr: float
    metrics: Mapping[str, float]
    seconds: float
    throughput: float
    confusion: NDArray[np.int64]
    snapshot: Callable[[], Snapshot] = field(repr=False)
    micro_batch: int | None = None
