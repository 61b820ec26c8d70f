"""Max-pooling over time in windows of 8, for maps whose time axis lies together in memory.

PyTorch's own is quick only where the channels lie together.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SIZE = 8
_ROUNDS = 3


def n_windows(n_times: int, stride: int) -> int:
    """How many windows of 8 there are.

    Args:
        n_times: samples in all.
        stride: samples between the starts of two windows.

    Raises:
        ValueError: there is not one window.
    """
    if n_times < SIZE:
        raise ValueError(f"{n_times} samples hold no window of {SIZE}")
    return (n_times - SIZE) // stride + 1


def window_max(x: Tensor, stride: int) -> Tensor:
    """The maximum of every window of 8 samples.

    Where a window holds its maximum more than once, the gradient goes to the first, as in PyTorch.

    Args:
        x: [..., n_times], n_times at least 8.
        stride: samples between the starts of two windows.

    Returns:
        [..., (n_times - 8) // stride + 1].

    Raises:
        ValueError: there is not one window.
    """
    n_windows(x.shape[-1], stride)
    way = _LaggedWindowMax if x.dtype == torch.bfloat16 else _WindowMax
    pooled: Tensor = way.apply(x, stride)  # type: ignore[no-untyped-call]
    return pooled


class _WindowMax(torch.autograd.Function):
    """A knock-out in three rounds, of samples, of pairs and of fours. What goes back follows the winners.

    As long as no window begins at an odd place, neighbours play each other and half of the field is left; after that
    everyone plays whoever comes `lag` later.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int) -> Tensor:
        lag, rounds, kept = 1, [], []
        for _ in range(_ROUNDS):
            n_times = x.shape[-1]
            if stride % 2 == 0:
                even = n_times // 2 * 2
                left, right, stride = x[..., 0:even:2], x[..., 1:even:2], stride // 2
                rounds.append((0, n_times))
            else:
                left, right = x[..., :-lag], x[..., lag:]
                rounds.append((lag, n_times))
                lag *= 2
            kept.append(left >= right)
            x = torch.maximum(left, right)
        ctx.save_for_backward(*kept)
        ctx.sizes = rounds, stride
        return x[..., ::stride].contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        rounds, stride = ctx.sizes
        if stride > 1:
            spread = gradient.new_zeros(ctx.saved_tensors[-1].shape)
            spread[..., ::stride] = gradient
            gradient = spread
        for (lag, n_times), kept in zip(reversed(rounds), reversed(ctx.saved_tensors), strict=True):
            gradient = _to_players(gradient, kept, lag) if lag else _to_neighbours(gradient, kept, n_times)
        return gradient, None


class _LaggedWindowMax(torch.autograd.Function):
    """The same for bfloat16, with lags alone.

    In that type PyTorch is quick only at samples that lie side by side, and at comparisons that give numbers.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int) -> Tensor:
        kept = []
        for number in range(_ROUNDS):
            left, right = x[..., : -(2**number)], x[..., 2**number :]
            x = torch.maximum(left, right)
            kept.append(torch.eq(left, x, out=torch.empty_like(x)))
        ctx.save_for_backward(*kept)
        ctx.stride = stride
        return x[..., ::stride].contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        kept = ctx.saved_tensors
        spread = torch.zeros_like(kept[-1])
        spread[..., :: ctx.stride] = gradient
        for number in reversed(range(_ROUNDS)):
            spread = _to_players(spread, kept[number], 2**number)
        return spread, None


def _to_players(gradient: Tensor, kept: Tensor, lag: int) -> Tensor:
    """What a round's players receive of what its winners receive."""
    out = gradient.new_empty(*gradient.shape[:-1], gradient.shape[-1] + lag)
    to_left = torch.mul(gradient, kept, out=out[..., :-lag])
    to_right = gradient - to_left
    out[..., -lag:] = 0
    out[..., lag:] += to_right
    return out


def _to_neighbours(gradient: Tensor, kept: Tensor, n_times: int) -> Tensor:
    """The same where neighbours played each other; at an odd length the last sample had no match."""
    out = gradient.new_empty(*gradient.shape, 2)
    torch.mul(gradient, kept, out=out[..., 0])
    torch.sub(gradient, out[..., 0], out=out[..., 1])
    flat = out.flatten(-2)
    return flat if flat.shape[-1] == n_times else torch.nn.functional.pad(flat, (0, 1))
