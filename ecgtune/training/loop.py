"""What both stages' loops share: batches, counting, and the record of what a saved state belongs to."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgtune.config import EmotionConfig, PretextConfig, parameters
from ecgtune.errors import InputError

# Called with (windows done, windows in the epoch).
Progress: TypeAlias = Callable[[int, int], None]


def slices(index: NDArray[np.integer], size: int) -> Iterator[NDArray[np.integer]]:
    """`index` [n] in pieces of `size`; the last may be shorter."""
    return (index[start : start + size] for start in range(0, len(index), size))


def micro_batch(sizes: Mapping[str, int], device: str, *, batch_norm: bool, halved: bool = False) -> int:
    """Windows that pass through the network together; gradients add up to those of the whole batch.

    Batch norm takes its statistics from a micro-batch, which is so a part of the model's definition: with it, the
    size depends neither on the device nor on how convolutions are computed.

    Args:
        sizes: for `cpu`, for `cuda`, and for `norm`.
        device: e.g. `cuda:0`.
        batch_norm: whether the encoder has any.
        halved: whether to make do with half, since there was not memory enough.

    Raises:
        MemoryError: less would be another model, or nothing at all.
    """
    size = sizes["norm" if batch_norm else torch.device(device).type]
    if halved and batch_norm:
        raise MemoryError("with batch norm the micro-batch cannot be halved: it would be another model")
    if halved and size < 2:
        raise MemoryError("the micro-batch is one window already")
    return size // 2 if halved else size


def common(sizes: Iterable[int]) -> frozenset[int]:
    """Of the sizes of an epoch's passes, those that an eighth of them have: for these compiling pays."""
    counts = Counter(sizes)
    return frozenset(size for size, times in counts.items() if 8 * times >= counts.total())


def copied(module: nn.Module) -> dict[str, Tensor]:
    """The state dict, copied to the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in module.state_dict().items()}


def run_identity(config: PretextConfig | EmotionConfig, seed: int, fingerprint: str) -> str:
    """What a saved state belongs to: the hash of parameters, seed and data. The number of epochs may change."""
    text = json.dumps([parameters(config), seed, fingerprint], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def require_identity(resume: Mapping[str, Any], identity: str) -> None:
    """Refuse a state of another run.

    Raises:
        InputError: the state was saved with other parameters, another seed or other data.
    """
    if resume.get("identity") != identity:
        raise InputError(
            "the saved state belongs to a run with other parameters, another seed or other data; it cannot be "
            "resumed here. Delete it to begin again, or go back to the settings it was saved with."
        )


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Above 0."""
        return max(time.perf_counter() - self._start, 1e-9)
