"""Layers on maps [view, time, channel]: matrix products by PyTorch, all that lies between them by the library.

They compute what `ecgtune.models.tiled` does, with fast Fourier transforms in place of matrices, and with the bias, the
activation and the pooling done while the transformed signal is at hand.
"""

import ctypes
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ecgtune.models.compiled.library import library
from ecgtune.models.kept import transformed
from ecgtune.models.tiled import kernel_form, kernel_transform
from ecgtune.models.window_max import SIZE, n_windows


# Views whose coefficients stay in the cache and which PyTorch multiplies at its best; with many threads, for each.
_TOGETHER, _OF_A_THREAD = 14, 7
# In lengths of the kernel: a tile, and what comes out of it. With fast transforms longer ones cost less.
_TILE, _STEP = 8, 7


class After(NamedTuple):
    """What comes after a convolution; `kind` as in lines.h."""

    kind: int
    slope: float = 0.0
    stride: int = 1

    def n_times(self, n_times: int) -> int:
        """How many samples come out, of so many."""
        return n_windows(n_times, self.stride) if self.kind == _POOLED else n_times


_POOLED = 2
PLAIN, _PEAK = After(0), After(3)


def takes(x: Tensor) -> bool:
    """Whether signals are such as these layers take: float32, on the CPU, and without a gradient of their own."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not x.requires_grad
    return plain and not torch.compiler.is_compiling()


def activated(slope: float) -> After:
    """A leaky ReLU of that slope below zero."""
    return After(1, slope)


def pooled(slope: float, stride: int) -> After:
    """The maximum of every window of 8, `stride` samples apart, and then a leaky ReLU."""
    return After(_POOLED, slope, stride)


def signals_convolved(x: Tensor, weight: Tensor, bias: Tensor | None, after: After, dtype: torch.dtype) -> Tensor:
    """The first layer: signals to maps, by a convolution that keeps the length, with TensorFlow's SAME padding.

    Args:
        x: [view, time], float32; has no gradient.
        weight: [n_out, 1, kernel], float32; n_out a multiple of 32, kernel 8, 16 or 32.
        bias: [n_out], or None.
        after: what comes after the convolution.
        dtype: of the maps, bfloat16 or float32.

    Returns:
        [view, time, n_out].

    Raises:
        ValueError: a signal holds no window to pool.
    """
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    maps: Tensor = _Signals.apply(x, weight, bias, after, dtype)  # type: ignore[no-untyped-call]
    return maps


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None, after: After) -> Tensor:
    """A further layer: maps to maps.

    Args:
        x: [view, time, n_in], bfloat16 or float32.
        weight: [n_out, n_in, kernel], float32; n_in and n_out multiples of 32, kernel 8, 16 or 32.
        bias: [n_out], or None.
        after: what comes after the convolution.

    Returns:
        [view, time, n_out], of the type of `x`.

    Raises:
        ValueError: a map holds no window to pool.
    """
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    maps: Tensor = _Maps.apply(x, weight, bias, after)  # type: ignore[no-untyped-call]
    return maps


def peaks(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A last layer of which only the maxima over time are wanted, whose gradient touches one time of each map.

    Args:
        x: as for `convolved`.
        weight: as for `convolved`.
        bias: [n_out].

    Returns:
        [view, n_out], float32.
    """
    maxima: Tensor = _Peaks.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return maxima


def finished(x: Tensor, after: After) -> Tensor:
    """What comes after a convolution, alone.

    Args:
        x: maps [view, time, channel], bfloat16 or float32; channels a multiple of 32.
        after: an activation, or pooling.

    Raises:
        ValueError: a map holds no window to pool.
    """
    maps: Tensor = _Finished.apply(x, after)  # type: ignore[no-untyped-call]
    return maps


class _Layer(ctypes.Structure):
    """`layer` of lines.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("n_threads", "n_views", "n_times", "channels", "kernel")),
        *((name, ctypes.c_int64) for name in ("size", "step", "n_tiles", "after", "stride")),
        ("slope", ctypes.c_float),
    )

    n_views: int
    n_tiles: int
    size: int


def _layer(n_views: int, n_times: int, channels: int, kernel: int, after: After = PLAIN) -> _Layer:
    step = _STEP * kernel
    tiles = _TILE * kernel, step, -(-n_times // step)
    return _Layer(torch.get_num_threads(), n_views, n_times, channels, kernel, *tiles, after.kind, after.stride, after.slope)


def _call(name: str, dtype: torch.dtype, layer: _Layer, *given: Tensor | int | None) -> None:
    """Call a function of layers.c with a layer and the rest of its arguments."""
    arguments = [ctypes.c_void_p(each.data_ptr()) if isinstance(each, Tensor) else each for each in given]
    arguments = [ctypes.c_int64(each) if isinstance(each, int) else each for each in arguments]
    getattr(library(dtype), name)(ctypes.byref(layer), *arguments)


def _sums(*shape: int) -> Tensor:
    """Zeros for every thread to add to."""
    return torch.zeros(torch.get_num_threads(), *shape)


def _coefficients(like: Tensor, layer: _Layer, channels: int) -> Tensor:
    """Room for those of a layer's tiles: [pairs, n_views * n_tiles, 2 * channels]."""
    return like.new_empty(layer.size // 2, layer.n_views * layer.n_tiles, 2 * channels)


class _Signals(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, after: After, dtype: torch.dtype) -> Tensor:
        x, taps = x.contiguous(), weight[:, 0].t().contiguous()
        (n_views, n_times), (kernel, n_out) = x.shape, taps.shape
        layer = _layer(n_views, n_times, n_out, kernel, after)
        out, winners = _room(x.to(dtype), layer, after)
        _call("signal_forward", dtype, layer, x, taps, bias.contiguous(), out, winners)
        ctx.save_for_backward(x, out, winners)
        ctx.layer = layer
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, None, None]:
        x, out, winners = ctx.saved_tensors
        n_views, n_out = len(x), out.shape[-1]
        to_bias, to_taps = x.new_empty(n_views, n_out), _sums(ctx.layer.kernel, n_out)
        _call("signal_backward", out.dtype, ctx.layer, x, gradient.contiguous(), out, winners, to_bias, to_taps)
        return None, to_taps.sum(dim=0).t().unsqueeze(1), to_bias.sum(dim=0), None, None


class _Maps(torch.autograd.Function):
    """The coefficients of the input are kept for the backward pass, the input itself is not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, after: After) -> Tensor:
        n_out, n_in, kernel = weight.shape
        x, bias, form = x.contiguous(), bias.contiguous(), transformed(weight, kernel_form, x.dtype, _TILE * weight.shape[-1])
        out, winners = _room(x, _layer(*x.shape[:2], n_out, kernel, after), after)
        kept = []
        for views in _parts(len(x)):
            coefficients, product, layer = _product(x[views], form, kernel, after)
            _call("forward_out", x.dtype, layer, product, bias, out[views], _of(winners, views))
            kept.append(coefficients)
        ctx.save_for_backward(form, out, winners, *kept)
        ctx.after, ctx.n_times, ctx.kernel = after, x.shape[1], weight.shape
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor, None]:
        form, out, winners, *kept = ctx.saved_tensors
        n_out, n_in, kernel = ctx.kernel
        n_views, gradient = len(out), gradient.contiguous()
        to_x = out.new_empty(n_views, ctx.n_times, n_in) if ctx.needs_input_grad[0] else None
        to_form = torch.zeros(_TILE * kernel, n_out * n_in) if ctx.needs_input_grad[1] else None
        to_bias = torch.empty(n_views, n_out)
        for views, coefficients in zip(_parts(n_views), kept, strict=True):
            layer = _layer(len(out[views]), ctx.n_times, n_out, kernel, ctx.after)
            inner = _layer(layer.n_views, ctx.n_times, n_in, kernel)
            of_gradient = _coefficients(out, layer, n_out)
            given = gradient[views], out[views], _of(winners, views), of_gradient, to_bias[views]
            _call("backward_in", out.dtype, layer, *given)
            if to_form is not None:
                correlation = torch.bmm(of_gradient.mT, coefficients)
                _call("kernel_backward", out.dtype, inner, correlation, n_out, to_form)
            if to_x is not None:
                _call("backward_out", out.dtype, inner, torch.bmm(of_gradient, form), to_x[views])
        to_weight = None
        if to_form is not None:
            to_weight = (_weighted(kernel).t() @ to_form).view(kernel, n_out, n_in).permute(1, 2, 0)
        return to_x, to_weight, to_bias.sum(dim=0), None


class _Peaks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x, bias, form = x.contiguous(), bias.contiguous(), transformed(weight, kernel_form, x.dtype, _TILE * weight.shape[-1])
        maxima = torch.empty(len(x), len(weight))
        times = torch.empty(len(x), len(weight), dtype=torch.int32)
        for views in _parts(len(x)):
            _, product, layer = _product(x[views], form, weight.shape[-1], _PEAK)
            _call("forward_out", x.dtype, layer, product, bias, maxima[views], times[views])
        ctx.save_for_backward(x, weight, times)
        ctx.layer = _layer(*x.shape[:2], *weight.shape[::2])
        return maxima

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight, times = ctx.saved_tensors
        taps, to_x = weight.mT.contiguous(), torch.empty_like(x)  # [n_out, kernel, n_in]
        to_taps = _sums(*taps.shape)
        _call("peak_backward", x.dtype, ctx.layer, x, taps, gradient.contiguous(), times, to_x, x.shape[-1], to_taps)
        return to_x, to_taps.sum(dim=0).mT, gradient.sum(dim=0)


class _Finished(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, after: After) -> Tensor:
        x = x.contiguous()
        n_views, n_times, channels = x.shape
        layer = _layer(n_views, n_times, channels, SIZE, after)
        out, winners = _room(x, layer, after)
        _call("after_forward", x.dtype, layer, x, out, winners)
        ctx.save_for_backward(out, winners)
        ctx.layer = layer
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        out, winners = ctx.saved_tensors
        to_x = out.new_empty(len(out), ctx.layer.n_times, out.shape[-1])
        _call("after_backward", out.dtype, ctx.layer, gradient.contiguous(), out, winners, to_x)
        return to_x, None


def _parts(n_views: int) -> list[slice]:
    """A few views at a time."""
    together = max(_TOGETHER, _OF_A_THREAD * torch.get_num_threads())
    return [slice(first, first + together) for first in range(0, n_views, together)]


def _of(winners: Tensor | None, views: slice) -> Tensor | None:
    return None if winners is None else winners[views]


def _product(x: Tensor, form: Tensor, kernel: int, after: After) -> tuple[Tensor, Tensor, _Layer]:
    """Coefficients of the input and of what comes out, and the layer."""
    n_views, n_times, n_in = x.shape
    layer = _layer(n_views, n_times, form.shape[1] // 2, kernel, after)
    coefficients = _coefficients(x, layer, n_in)
    _call("forward_in", x.dtype, _layer(n_views, n_times, n_in, kernel), x, coefficients)
    return coefficients, torch.bmm(coefficients, form.mT), layer


def _room(like: Tensor, layer: _Layer, after: After) -> tuple[Tensor, Tensor | None]:
    """For what comes out of a layer, and for the winners of pooling."""
    shape = layer.n_views, after.n_times(layer.n_times), layer.channels
    return like.new_empty(shape), like.new_empty(shape, dtype=torch.uint8) if after.kind == _POOLED else None


@lru_cache
def _weighted(kernel: int) -> Tensor:
    """A kernel's transform [size, kernel], with the weight that each coefficient has on the way back."""
    size = _TILE * kernel
    weights = torch.full((size, 1), 2.0 / size)
    weights[:2] = 1.0 / size
    return kernel_transform(kernel, size, torch.float32, weights.device) * weights
