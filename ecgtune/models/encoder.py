"""The convolutional encoder of Sarkar & Etemad (IEEE TAC 2020, arXiv 2002.03898).

    [conv 32 filters of 32] x 2, max-pool 8, [conv 64 of 16] x 2, max-pool 8, [conv 128 of 8] x 2, pooling over time

With the published stride of 2 between pools, 2560 samples become 1277, then 635 positions; the convolutions hold
329,152 parameters.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ecgtune.models.pooling import pool

# (filters, kernel) of the two convolutions of each block.
BLOCKS = ((32, 32), (64, 16), (128, 8))
POOL_SIZE = 8
N_MAPS = BLOCKS[-1][0]
ACTIVATIONS = {"leaky_relu": 0.2, "relu": 0.0}


class Encoder(nn.Module):
    """ECG windows -> features.

    Args:
        pool_stride: samples between the starts of two pools of 8; 2 as published.
        activation: `leaky_relu` (slope 0.2 below zero) or `relu`.
        batch_norm: normalise before each activation (Ioffe & Szegedy 2015); the convolutions then have no bias.
        pooling: `max`, `mean` or `max+mean+std`, over time.

    Shape:
        [batch, n_times] -> [batch, n_features]; n_times at least `min_times`.

    Raises:
        KeyError: no such activation.
    """

    def __init__(
        self,
        *,
        pool_stride: int = 2,
        activation: str = "leaky_relu",
        batch_norm: bool = False,
        pooling: str = "max",
    ) -> None:
        super().__init__()
        self.pool_stride = pool_stride
        self.pooling = pooling
        self.n_features = N_MAPS * 3 if pooling == "max+mean+std" else N_MAPS
        self._slope = ACTIVATIONS[activation]
        self.layers = nn.ModuleList()
        n_in = 1
        for n_filters, kernel in BLOCKS:
            self.layers.append(_Convolution(n_in, n_filters, kernel, batch_norm))
            self.layers.append(_Convolution(n_filters, n_filters, kernel, batch_norm))
            n_in = n_filters

    @property
    def min_times(self) -> int:
        """The shortest window, in samples, that both pools of 8 still fit into."""
        return (POOL_SIZE - 1) * self.pool_stride + POOL_SIZE

    def feature_maps(self, x: Tensor) -> Tensor:
        """Windows [batch, n_times] -> activated maps [batch, 128, n_positions]."""
        return self._activate(self._maps(x)).squeeze(2)

    def forward(self, x: Tensor) -> Tensor:
        """Windows [batch, n_times] -> features [batch, n_features]."""
        maps = self._maps(x).squeeze(2)
        if self.pooling == "max":
            return self._activate(pool(maps, "max"))
        return pool(self._activate(maps), self.pooling)

    def _maps(self, x: Tensor) -> Tensor:
        """Windows [batch, n_times] -> maps [batch, 128, 1, n_positions] before the last activation.

        An activation never decreases, so the maximum of activated values is the activated maximum: pooling
        first is exact and leaves the activation less to do.
        """
        # Two-dimensional convolutions of height 1 with channels last run faster on a CPU than Conv1d does.
        maps = x[:, None, None, :].contiguous(memory_format=torch.channels_last)
        for number, layer in enumerate(self.layers):
            if number in (2, 4):
                maps = F.max_pool2d(maps, (1, POOL_SIZE), (1, self.pool_stride))
            maps = layer(self._activate(maps) if number else maps)
        return maps

    def _activate(self, maps: Tensor) -> Tensor:
        return F.leaky_relu(maps, self._slope) if self._slope else F.relu(maps)


class _Convolution(nn.Module):
    """A convolution over time that keeps the length, with TensorFlow's SAME padding, and batch norm if asked for.

    An even kernel k has no middle: SAME adds (k - 1) // 2 zeros on the left and k // 2 on the right.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, batch_norm: bool) -> None:
        super().__init__()
        self.padding = ((kernel - 1) // 2, kernel // 2)
        self.conv = nn.Conv2d(n_in, n_out, (1, kernel), bias=not batch_norm)
        self.norm = nn.BatchNorm2d(n_out) if batch_norm else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """[batch, n_in, 1, n_times] -> [batch, n_out, 1, n_times]."""
        normed: Tensor = self.norm(self.conv(F.pad(maps, self.padding)))
        return normed
