"""The signal transformations: batched functions [batch, n_times] -> [batch, n_times], on any device.

Each gives exactly as many samples as it gets, padded with nothing.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ecgtune.config import TransformsConfig
from ecgtune.transforms.negation import negation
from ecgtune.transforms.noise import noise
from ecgtune.transforms.permutation import permutation
from ecgtune.transforms.scaling import scaling
from ecgtune.transforms.temporal_inversion import temporal_inversion
from ecgtune.transforms.time_warping import time_warping

# In the order of the classes of `ecgtune.config.TRANSFORMS`.
TRANSFORMS: dict[str, Callable[[Tensor, torch.Generator, TransformsConfig], Tensor]] = {
    "original": lambda x, _generator, _config: x,
    "noise": lambda x, generator, config: noise(x, generator, snr_db=config.noise.snr_db),
    "scaling": lambda x, _generator, config: scaling(x, factor=config.scaling.factor),
    "negation": lambda x, _generator, _config: negation(x),
    "temporal_inversion": lambda x, _generator, _config: temporal_inversion(x),
    "permutation": lambda x, generator, config: permutation(x, generator, pieces=config.permutation.pieces),
    "time_warping": lambda x, generator, config: time_warping(
        x, generator, pieces=config.time_warping.pieces, stretch=config.time_warping.stretch
    ),
}

__all__ = [
    "TRANSFORMS",
    "negation",
    "noise",
    "permutation",
    "scaling",
    "temporal_inversion",
    "time_warping",
]
