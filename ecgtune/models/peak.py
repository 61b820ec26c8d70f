"""A convolution of which only the maximum over time is wanted.

Its gradient touches one position per map, so that the backward pass, two thirds of a convolution's work, reads and
writes that position's few samples instead of all.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# (x, weight, bias) -> [batch, n_out, n_times]
Convolution: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]


def peak_convolution(convolve: Convolution, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The maximum over time of a convolution that keeps the length.

    Equal to `convolve(x, weight, bias).amax(-1)`; where a map reaches its maximum more than once, the gradient goes
    to one of the places instead of being shared out.

    Args:
        convolve: SAME padding; what it would record for a backward pass of its own is not used.
        x: [batch, n_in, n_times].
        weight: [n_out, n_in, kernel].
        bias: [n_out].

    Returns:
        [batch, n_out].
    """
    peaks: Tensor = _PeakConvolution.apply(convolve, x, weight, bias)  # type: ignore[no-untyped-call]
    return peaks


class _PeakConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, convolve: Convolution, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        peaks, places = convolve(x, weight, bias).max(dim=-1)
        ctx.save_for_backward(x, weight, places)
        return peaks

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor | None, Tensor, Tensor]:
        x, weight, places = ctx.saved_tensors
        batch, n_in, n_times = x.shape
        n_out, _, kernel = weight.shape
        gradient = gradient.to(weight.dtype)
        before, padded_times = (kernel - 1) // 2, n_times + kernel - 1
        # Samples as rows of all channels; the first tap of a place reads the row of the same number once padded.
        rows = _turned(F.pad(x, (before, kernel // 2)))
        starts = (places + padded_times * torch.arange(batch, device=x.device).unsqueeze(1)).flatten()
        to_rows = torch.zeros_like(rows, dtype=weight.dtype) if ctx.needs_input_grad[1] else None
        to_weight = []
        for tap in range(kernel):
            samples = rows.index_select(0, starts + tap).view(batch, n_out, n_in).to(weight.dtype)
            to_weight.append(torch.einsum("bo,boi->oi", gradient, samples))
            if to_rows is not None:
                to_rows.index_add_(0, starts + tap, (gradient.unsqueeze(-1) * weight[..., tap]).view(-1, n_in))
        to_x = None
        if to_rows is not None:
            turned = to_rows.to(x.dtype).t().contiguous().view(n_in, batch, padded_times)
            to_x = turned[..., before : before + n_times].transpose(0, 1)
        return None, to_x, torch.stack(to_weight, dim=-1), gradient.sum(dim=0)


def _turned(x: Tensor) -> Tensor:
    """[batch, channels, n_times] -> [batch * n_times, channels]."""
    # PyTorch is quick at turning a matrix round, and slow at the same with three dimensions.
    return x.transpose(0, 1).reshape(x.shape[1], -1).t().contiguous()
