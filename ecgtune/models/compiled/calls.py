"""Calling the library: what a layer looks like to it, and its functions with PyTorch's tensors."""

import ctypes
from typing import NamedTuple

import torch
from torch import Tensor

from ecgtune.models.compiled.library import library
from ecgtune.models.window_max import n_windows

# In lengths of the kernel: a tile, and what comes out of it. With fast transforms long ones cost the least.
TILE, STEP = 8, 7
# Views at a time, whose coefficients stay in the cache and which PyTorch multiplies at its best; or these for a thread.
_TOGETHER, _OF_A_THREAD = 14, 7
_KERNELS, _CHANNELS = (8, 16, 32), 32
# As in lines.h.
_PLAIN, _ACTIVATED, _POOLED, _PEAK = range(4)


class After(NamedTuple):
    """What comes after a convolution; see `activated`, `pooled` and the rest."""

    kind: int
    slope: float = 0.0
    stride: int = 1

    @property
    def pools(self) -> bool:
        """Whether it takes the maxima of windows."""
        return self.kind == _POOLED

    def n_times(self, n_times: int) -> int:
        """How many samples come out, of so many.

        Raises:
            ValueError: they hold no window to pool.
        """
        return n_windows(n_times, self.stride) if self.pools else n_times


PLAIN, PEAK = After(_PLAIN), After(_PEAK)


def activated(slope: float) -> After:
    """A leaky ReLU of that slope below zero."""
    return After(_ACTIVATED, slope)


def pooled(slope: float, stride: int) -> After:
    """The maximum of every window of 8, `stride` samples apart, and then a leaky ReLU."""
    return After(_POOLED, slope, stride)


class Layer(ctypes.Structure):
    """`layer` of lines.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("n_threads", "n_views", "n_times", "channels", "kernel")),
        *((name, ctypes.c_int64) for name in ("size", "step", "n_tiles", "after", "stride")),
        ("slope", ctypes.c_float),
    )

    n_threads: int
    n_views: int
    n_times: int
    channels: int
    kernel: int
    size: int
    n_tiles: int


def layer(n_views: int, n_times: int, channels: int, kernel: int, after: After = PLAIN) -> Layer:
    """One side of a layer, with as many channels, and PyTorch's number of threads.

    Raises:
        ValueError: the library knows no such kernels, or not so many channels.
    """
    if kernel not in _KERNELS or channels % _CHANNELS or not channels:
        allowed = f"kernels of {_KERNELS} and multiples of {_CHANNELS} channels"
        raise ValueError(f"kernels of {kernel} and {channels} channels; allowed are {allowed}")
    step = STEP * kernel
    tiles = TILE * kernel, step, -(-n_times // step)
    what = after.kind, after.stride, after.slope
    return Layer(torch.get_num_threads(), n_views, n_times, channels, kernel, *tiles, *what)


def call(name: str, dtype: torch.dtype, given: Layer, *arguments: Tensor | int | None) -> None:
    """Call a function of layers.c.

    Args:
        name: of the function.
        dtype: of maps and coefficients.
        given: its first argument.
        arguments: the others; tensors are contiguous.
    """
    getattr(library(dtype), name)(ctypes.byref(given), *map(_passed, arguments))


def _passed(argument: Tensor | int | None) -> ctypes.c_void_p | ctypes.c_int64 | None:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    return argument if argument is None else ctypes.c_int64(argument)


def parts(n_views: int) -> list[slice]:
    """A few views at a time."""
    together = max(_TOGETHER, _OF_A_THREAD * torch.get_num_threads())
    return [slice(first, min(first + together, n_views)) for first in range(0, n_views, together)]


def sums(*shape: int) -> Tensor:
    """Zeros for every thread to add to: [threads, ...]."""
    return torch.zeros(torch.get_num_threads(), *shape)
