"""Layers on maps [view, time, channel]: matrix products by PyTorch, all that lies between them by the library.

They compute what `ecgtune.models.tiled` does, with fast Fourier transforms in place of matrices, and with the bias, the
activation and the pooling done while the transformed signal is at hand.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ecgtune.models.compiled.calls import PEAK, TILE, After, Layer, call, layer, parts, sums
from ecgtune.models.kept import transformed
from ecgtune.models.tiled import kernel_form, kernel_transform
from ecgtune.models.window_max import SIZE

_Function = TypeVar("_Function", bound=Callable[..., Any])


def takes(x: Tensor, weight: Tensor) -> bool:
    """Whether signals and weights are such as these layers take: float32, on the CPU, and no gradient by signals."""
    return not x.requires_grad and all(
        each.device.type == "cpu" and each.dtype == torch.float32 for each in (x, weight)
    )


def signals_convolved(x: Tensor, weight: Tensor, bias: Tensor | None, after: After, dtype: torch.dtype) -> Tensor:
    """The first layer: signals to maps, by a convolution that keeps the length, with TensorFlow's SAME padding.

    Args:
        x: [view, time], such as `takes` says.
        weight: [n_out, 1, kernel], float32; n_out a multiple of 32, kernel 8, 16 or 32.
        bias: [n_out], or None.
        after: what comes after the convolution.
        dtype: of the maps, bfloat16 or float32.

    Returns:
        [view, time, n_out].

    Raises:
        ValueError: a signal holds no window to pool, or sizes are not such.
    """
    _require(x.ndim == 2 and weight.shape[1] == 1, x, weight)
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    maps: Tensor = _Signals.apply(x.contiguous(), weight, bias, after, dtype)  # type: ignore[no-untyped-call]
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
        ValueError: a map holds no window to pool, or sizes are not such.
    """
    _require(x.ndim == 3 and weight.shape[1] == x.shape[2], x, weight)
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    maps: Tensor = _Maps.apply(x.contiguous(), weight, bias, after)  # type: ignore[no-untyped-call]
    return maps


def peaks(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A last layer of which only the maxima over time are wanted, whose gradient touches one time of each map.

    Args:
        x: as for `convolved`.
        weight: as for `convolved`.
        bias: [n_out].

    Returns:
        [view, n_out], float32.

    Raises:
        ValueError: sizes are not such.
    """
    _require(x.ndim == 3 and weight.shape[1] == x.shape[2], x, weight)
    maxima: Tensor = _Peaks.apply(x.contiguous(), weight, bias)  # type: ignore[no-untyped-call]
    return maxima


def finished(x: Tensor, after: After) -> Tensor:
    """What comes after a convolution, alone.

    Args:
        x: maps [view, time, channel], bfloat16 or float32; channels a multiple of 32.
        after: an activation, or pooling.

    Returns:
        Maps of the same type.

    Raises:
        ValueError: a map holds no window to pool.
    """
    maps: Tensor = _Finished.apply(x.contiguous(), after)  # type: ignore[no-untyped-call]
    return maps


def _require(fits: bool, x: Tensor, weight: Tensor) -> None:
    if not fits:
        raise ValueError(f"signals or maps {[*x.shape]} do not go with weights {[*weight.shape]}")


def _exactly(function: _Function) -> _Function:
    """Whatever autocast is on outside, types are those that the library expects."""

    @wraps(function)
    def exact(*given: Any) -> Any:
        with torch.autocast("cpu", enabled=False):
            return function(*given)

    return cast(_Function, exact)


class _Signals(torch.autograd.Function):
    @staticmethod
    @_exactly
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, after: After, dtype: torch.dtype) -> Tensor:
        n_out, _, kernel = weight.shape
        outer = layer(len(x), x.shape[1], n_out, kernel, after)
        out, winners = _room(outer, after, dtype)
        call("signal_forward", dtype, outer, x, weight[:, 0].t().contiguous(), bias.contiguous(), out, winners)
        ctx.save_for_backward(x, out, winners)
        ctx.kernel, ctx.after = kernel, after
        return out

    @staticmethod
    @once_differentiable
    @_exactly
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, None, None]:
        x, out, winners = ctx.saved_tensors
        n_out = out.shape[-1]
        to_bias, to_taps = torch.empty(len(x), n_out), sums(ctx.kernel, n_out)
        outer = layer(len(x), x.shape[1], n_out, ctx.kernel, ctx.after)
        call("signal_backward", out.dtype, outer, x, gradient.contiguous(), out, winners, to_bias, to_taps)
        return None, to_taps.sum(dim=0).t().unsqueeze(1), to_bias.sum(dim=0), None, None


class _Maps(torch.autograd.Function):
    """The coefficients of the input are kept for the backward pass, the input itself is not."""

    @staticmethod
    @_exactly
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, after: After) -> Tensor:
        n_out, n_in, kernel = weight.shape
        form, bias = _form(weight, x.dtype), bias.contiguous()
        out, winners = _room(layer(len(x), x.shape[1], n_out, kernel, after), after, x.dtype)
        kept, taken = [], parts(len(x))
        for views in taken:
            coefficients, outer = _analysed(x[views], kernel), layer(len(x[views]), x.shape[1], n_out, kernel, after)
            product = torch.bmm(coefficients, form.mT)
            call("forward_out", x.dtype, outer, product, bias, out[views], _of(winners, views))
            if any(ctx.needs_input_grad):
                kept.append(coefficients)
        ctx.save_for_backward(form, out, winners, *kept)
        ctx.parts, ctx.after, ctx.n_times, ctx.sizes = taken, after, x.shape[1], (n_out, n_in, kernel)
        return out

    @staticmethod
    @once_differentiable
    @_exactly
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor, None]:
        form, out, winners, *kept = ctx.saved_tensors
        n_out, n_in, kernel = ctx.sizes
        n_views, gradient = len(out), gradient.contiguous()
        to_x = out.new_empty(n_views, ctx.n_times, n_in) if ctx.needs_input_grad[0] else None
        to_form = torch.zeros(TILE * kernel, n_out * n_in) if ctx.needs_input_grad[1] else None
        to_bias = torch.empty(n_views, n_out)
        for views, coefficients in zip(ctx.parts, kept, strict=True):
            outer = layer(len(out[views]), ctx.n_times, n_out, kernel, ctx.after)
            inner = layer(len(out[views]), ctx.n_times, n_in, kernel)
            of_gradient = _coefficients(outer, out.dtype)
            given = gradient[views], out[views], _of(winners, views), of_gradient, to_bias[views]
            call("backward_in", out.dtype, outer, *given)
            if to_form is not None:
                call("kernel_backward", out.dtype, inner, torch.bmm(of_gradient.mT, coefficients), n_out, to_form)
            if to_x is not None:
                call("backward_out", out.dtype, inner, torch.bmm(of_gradient, form), to_x[views])
        to_weight = None
        if to_form is not None:
            to_weight = (_weighted(kernel).t() @ to_form).view(kernel, n_out, n_in).permute(1, 2, 0)
        return to_x, to_weight, to_bias.sum(dim=0), None


class _Peaks(torch.autograd.Function):
    @staticmethod
    @_exactly
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        n_out, _, kernel = weight.shape
        form, bias = _form(weight, x.dtype), bias.contiguous()
        maxima, times = torch.empty(len(x), n_out), torch.empty(len(x), n_out, dtype=torch.int32)
        for views in parts(len(x)):
            product = torch.bmm(_analysed(x[views], kernel), form.mT)
            outer = layer(len(x[views]), x.shape[1], n_out, kernel, PEAK)
            call("forward_out", x.dtype, outer, product, bias, maxima[views], times[views])
        ctx.save_for_backward(x, weight, times)
        return maxima

    @staticmethod
    @once_differentiable
    @_exactly
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight, times = ctx.saved_tensors
        n_out, n_in, kernel = weight.shape
        taps, to_x, to_taps = weight.mT.contiguous(), torch.empty_like(x), sums(n_out, kernel, n_in)
        whole = layer(len(x), x.shape[1], n_out, kernel)
        call("peak_backward", x.dtype, whole, x, taps, gradient.contiguous(), times, to_x, n_in, to_taps)
        return to_x, to_taps.sum(dim=0).mT, gradient.sum(dim=0)


class _Finished(torch.autograd.Function):
    @staticmethod
    @_exactly
    def forward(ctx: Any, x: Tensor, after: After) -> Tensor:
        n_views, n_times, channels = x.shape
        whole = layer(n_views, n_times, channels, SIZE, after)
        out, winners = _room(whole, after, x.dtype)
        call("after_forward", x.dtype, whole, x, out, winners)
        ctx.save_for_backward(out, winners)
        ctx.n_times, ctx.after = n_times, after
        return out

    @staticmethod
    @once_differentiable
    @_exactly
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        out, winners = ctx.saved_tensors
        to_x = out.new_empty(len(out), ctx.n_times, out.shape[-1])
        whole = layer(len(out), ctx.n_times, out.shape[-1], SIZE, ctx.after)
        call("after_backward", out.dtype, whole, gradient.contiguous(), out, winners, to_x)
        return to_x, None


def _analysed(x: Tensor, kernel: int) -> Tensor:
    """The coefficients of maps."""
    n_views, n_times, n_in = x.shape
    inner = layer(n_views, n_times, n_in, kernel)
    coefficients = _coefficients(inner, x.dtype)
    call("forward_in", x.dtype, inner, x, coefficients)
    return coefficients


def _coefficients(of: Layer, dtype: torch.dtype) -> Tensor:
    """Room for those of a layer's tiles."""
    return torch.empty(of.size // 2, of.n_views * of.n_tiles, 2 * of.channels, dtype=dtype)


def _room(of: Layer, after: After, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """For what comes out of a layer, and for the winners of pooling."""
    shape = of.n_views, after.n_times(of.n_times), of.channels
    return torch.empty(shape, dtype=dtype), torch.empty(shape, dtype=torch.uint8) if after.pools else None


def _of(winners: Tensor | None, views: slice) -> Tensor | None:
    return None if winners is None else winners[views]


def _form(weight: Tensor, dtype: torch.dtype) -> Tensor:
    return transformed(weight, kernel_form, dtype, TILE * weight.shape[-1])


@lru_cache
def _weighted(kernel: int) -> Tensor:
    """A kernel's transform [size, kernel], with the weight that each coefficient has on the way back."""
    size = TILE * kernel
    weights = torch.full((size, 1), 2.0 / size)
    weights[:2] = 1.0 / size
    return kernel_transform(kernel, size, weights.dtype, weights.device) * weights
