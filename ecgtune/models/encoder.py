"""The convolutional encoder of Sarkar & Etemad (IEEE TAC 2020, arXiv 2002.03898).

    [conv 32 filters of 32] x 2, max-pool 8, [conv 64 of 16] x 2, max-pool 8, [conv 128 of 8] x 2, pooling over time

With the published stride of 2 between pools, 2560 samples become 1277, then 635 positions; the convolutions hold
329,152 parameters.
"""

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ecgtune.convolution_path import ConvolutionPath
from ecgtune.models import compiled
from ecgtune.models.convolution import AUTOCAST, TILED, convolution
from ecgtune.models.fused import FUSED, fused, give_gradients_a_place, why_not
from ecgtune.models.peak import peak_convolution
from ecgtune.models.pooling import pool
from ecgtune.models.window_max import SIZE as POOL_SIZE
from ecgtune.models.window_max import window_max

# (filters, kernel) of the two convolutions of each block.
BLOCKS = ((32, 32), (64, 16), (128, 8))
N_MAPS = BLOCKS[-1][0]
# Paths whose maps have the time, and not the channels, together in memory.
_IN_TIME = ("fourier", *TILED)
# In tiles, the whole backward pass over so many costs less than that of the maxima alone, which is always the same.
_FEW_POSITIONS = 2 * N_MAPS
ACTIVATIONS = {"leaky_relu": 0.2, "relu": 0.0}


class Encoder(nn.Module):
    """ECG windows -> features.

    Args:
        pool_stride: samples between the starts of two pools of 8; 2 as published.
        activation: `leaky_relu` (slope 0.2 below zero) or `relu`.
        batch_norm: normalise before each activation (Ioffe & Szegedy 2015); the convolutions then have no bias.
        pooling: `max`, `mean` or `max+mean+std`, over time.
        path: how convolutions are computed; a matter of speed and rounding, see `ecgtune.models.convolution`.

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
        path: ConvolutionPath = "direct",
    ) -> None:
        super().__init__()
        self.path = path
        self.pool_stride = pool_stride
        self.pooling = pooling
        self.n_features = N_MAPS * 3 if pooling == "max+mean+std" else N_MAPS
        self._slope = ACTIVATIONS[activation]
        # Whether passes of training are fused, on a path that can be; compiling pays for sizes that come often.
        self.fuses = False
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
        return self._pass(Encoder._feature_maps, x)

    def forward(self, x: Tensor) -> Tensor:
        """Windows [batch, n_times] -> features [batch, n_features]."""
        return self._pass(Encoder._features, x)

    def _pass(self, way: Callable[["Encoder", Tensor], Tensor], x: Tensor) -> Tensor:
        """Go that way, fused where that was asked for."""
        if not self._is_fused(x):
            return way(self, x)
        give_gradients_a_place(self)
        return fused(way, self.path)(self, x)

    def _is_fused(self, x: Tensor) -> bool:
        """Whether this pass is to be fused: one of training, if so wanted and possible."""
        trains = self.fuses and self.training and torch.is_grad_enabled() and not torch.compiler.is_compiling()
        return trains and self.path in FUSED and not why_not(self.path, x.device.type)

    def _feature_maps(self, x: Tensor) -> Tensor:
        with self._precision(x):
            return self._activated(x, len(self.layers)).to(x.dtype)

    def _features(self, x: Tensor) -> Tensor:
        with self._precision(x):
            if self.pooling != "max":
                return pool(self._activated(x, len(self.layers)).to(x.dtype), self.pooling)
            # An activation never decreases, so the maximum of activated values is the activated maximum.
            return self._activate(self._peaks(x)).to(x.dtype)

    def _peaks(self, x: Tensor) -> Tensor:
        """Windows [batch, n_times] -> the maxima over time, before the last activation: [batch, 128]."""
        last = cast(_Convolution, self.layers[-1])
        if last.conv.bias is None:
            if self._is_compiled(x):
                return last.compiled(self._compiled(x, len(self.layers) - 1), compiled.PLAIN, x.dtype).amax(dim=1)
            return self._maps(x, len(self.layers)).amax(dim=-1)
        weight = last.conv.weight.squeeze(2)
        if self._is_compiled(x):
            return compiled.peaks(self._compiled(x, len(self.layers) - 1), weight, last.conv.bias)
        maps = self._activate(self._maps(x, len(self.layers) - 1))
        if self._path in TILED and maps.shape[-1] <= _FEW_POSITIONS:
            peaks: Tensor = last(maps, self._path).max(dim=-1).values
            return peaks
        return peak_convolution(convolution(self._path), maps, weight, last.conv.bias)

    def _activated(self, x: Tensor, n_layers: int) -> Tensor:
        """Windows [batch, n_times] -> activated maps [batch, channels, n_positions] of the first layers."""
        if self._is_compiled(x):
            return self._compiled(x, n_layers).mT
        return self._activate(self._maps(x, n_layers))

    def _is_compiled(self, x: Tensor) -> bool:
        """Whether layers are computed by what was compiled for this machine; there is no gradient by `x` then."""
        weight = cast(_Convolution, self.layers[0]).conv.weight
        return self._path in TILED and compiled.takes(x, weight) and compiled.available(TILED[self._path])

    def _compiled(self, x: Tensor, n_layers: int) -> Tensor:
        """Windows [batch, n_times] -> activated maps [batch, n_positions, channels] of the first layers."""
        maps, dtype = x, TILED[self._path]
        for number, layer in enumerate(self.layers[:n_layers]):
            # The layers before pooling are those that end a block, but for the last.
            pools = number in (1, 3)
            after = compiled.pooled(self._slope, self.pool_stride) if pools else compiled.activated(self._slope)
            maps = cast(_Convolution, layer).compiled(maps, after, dtype)
        return maps

    def _maps(self, x: Tensor, n_layers: int) -> Tensor:
        """Windows [batch, n_times] -> maps [batch, channels, n_positions] of the first layers, not activated."""
        maps = x.unsqueeze(1)
        if x.dtype == torch.float32:
            maps = maps.to(TILED.get(self._path, x.dtype))
        for number, layer in enumerate(self.layers[:n_layers]):
            if number in (2, 4):
                # Before the activation: exact, since that never decreases, and leaves it less to do.
                maps = self._window_max(maps)
            maps = layer(self._activate(maps) if number else maps, self._path)
        return maps

    def _window_max(self, maps: Tensor) -> Tensor:
        if self._path in _IN_TIME:
            return window_max(maps, self.pool_stride)
        return F.max_pool2d(maps.unsqueeze(2), (1, POOL_SIZE), (1, self.pool_stride)).squeeze(2)

    @property
    def _path(self) -> ConvolutionPath:
        # A compiler or an export takes PyTorch's own operations.
        return "direct" if torch.compiler.is_compiling() and self.path in _IN_TIME else self.path

    def _precision(self, x: Tensor) -> torch.autocast:
        return torch.autocast(x.device.type, torch.bfloat16, enabled=self.path in AUTOCAST)

    def _activate(self, maps: Tensor) -> Tensor:
        return F.leaky_relu(maps, self._slope) if self._slope else F.relu(maps)


class _Convolution(nn.Module):
    """A convolution over time that keeps the length, and batch norm if asked for."""

    def __init__(self, n_in: int, n_out: int, kernel: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, (1, kernel), bias=not batch_norm)
        self.norm = nn.BatchNorm2d(n_out) if batch_norm else nn.Identity()

    def forward(self, maps: Tensor, path: ConvolutionPath) -> Tensor:
        """[batch, n_in, n_times] -> [batch, n_out, n_times]."""
        convolved = convolution(path)(maps, self.conv.weight.squeeze(2), self.conv.bias)
        normed: Tensor = self.norm(convolved.unsqueeze(2)).squeeze(2)
        return normed

    def compiled(self, maps: Tensor, after: compiled.After, dtype: torch.dtype) -> Tensor:
        """Signals [batch, n_times] or maps [batch, n_times, n_in] -> maps [batch, n_positions, n_out]."""
        weight, bias = self.conv.weight.squeeze(2), self.conv.bias
        first = compiled.PLAIN if bias is None else after
        if self.conv.in_channels == 1:
            convolved = compiled.signals_convolved(maps, weight, bias, first, dtype)
        else:
            convolved = compiled.convolved(maps, weight, bias, first)
        if bias is not None:
            return convolved
        normed: Tensor = self.norm(convolved.mT.unsqueeze(2)).squeeze(2).mT
        return compiled.finished(normed, after)
