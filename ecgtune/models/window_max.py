"""Max-pooling over time in windows of 8, for maps whose time axis lies together in memory.

PyTorch's own is quick only where the channels lie together.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SIZE = 8


def window_max(x: Tensor, stride: int) -> Tensor:
    """The maximum of every window of 8 samples.

    Where a window holds its maximum more than once, the gradient goes to the first, as in PyTorch.

    Args:
        x: [..., n_times], n_times at least 8.
        stride: samples between the starts of two windows.

    Returns:
        [..., (n_times - 8) // stride + 1].
    """
    pooled: Tensor = _WindowMax.apply(x, stride)  # type: ignore[no-untyped-call]
    return pooled


class _WindowMax(torch.autograd.Function):
    """A knock-out in three rounds: of neighbours, of pairs, of fours. What goes back follows the winners."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int) -> Tensor:
        # At an even stride no window begins at an odd sample, so the first round can be played in pairs.
        paired = stride % 2 == 0
        ctx.sizes = paired, stride, x.shape
        if paired:
            even = x.shape[-1] // 2 * 2
            left, right = x[..., 0:even:2], x[..., 1:even:2]
            first, pairs = left >= right, torch.maximum(left, right)
            second, fours = _round(pairs, 1)
            third, eights = _round(fours, 2)
            stride //= 2
        else:
            first, pairs = _round(x, 1)
            second, fours = _round(pairs, 2)
            third, eights = _round(fours, 4)
        ctx.save_for_backward(first, second, third)
        return eights[..., ::stride].contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        first, second, third = ctx.saved_tensors
        paired, stride, shape = ctx.sizes
        step = stride // 2 if paired else stride
        if step > 1:
            spread = gradient.new_zeros(third.shape)
            spread[..., ::step] = gradient
            gradient = spread
        if not paired:
            return _back(_back(_back(gradient, third, 4), second, 2), first, 1), None
        pairs = _back(_back(gradient, third, 2), second, 1)
        out = pairs.new_empty(*pairs.shape, 2)
        torch.mul(pairs, first, out=out[..., 0])
        torch.sub(pairs, out[..., 0], out=out[..., 1])
        flat = out.flatten(-2)
        return (flat if flat.shape == shape else torch.nn.functional.pad(flat, (0, 1))), None


def _round(x: Tensor, lag: int) -> tuple[Tensor, Tensor]:
    """Whether each sample beats the one `lag` later, and the winner."""
    left, right = x[..., :-lag], x[..., lag:]
    return left >= right, torch.maximum(left, right)


def _back(gradient: Tensor, kept: Tensor, lag: int) -> Tensor:
    """What a round's players receive of what its winners receive."""
    to_left = gradient * kept
    out = torch.nn.functional.pad(to_left, (0, lag))
    out[..., lag:] += torch.sub(gradient, to_left, out=to_left)
    return out
