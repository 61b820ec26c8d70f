"""The ways to compute the encoder's convolutions. They differ in speed and rounding, not in what they compute.

direct   PyTorch's own, float32 (on a GPU as its settings say, by default TF32), with the channels together in memory
fourier  by way of the frequency domain, float32: fastest on a processor without units for bfloat16
bf16     PyTorch's own under bfloat16 autocast
tiled    by way of the frequency domain in tiles, bfloat16: fastest on a processor with units for that
tiled32  the same in float32: fastest on a processor without them, where there is a C compiler
inductor    as bf16; a whole pass through the encoder in training is compiled by PyTorch's compiler (`models.fused`)
cudagraphs  the same, and on a GPU started as a whole

Tiles have their pieces compiled for the machine by its own compiler, where it has one (`models.compiled`).
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ecgtune.convolution_path import ConvolutionPath
from ecgtune.models.fourier import fourier_convolution
from ecgtune.models.tiled import tiled_convolution

# Those that multiply bfloat16, which is slow on a processor without units for it.
BFLOAT16: tuple[ConvolutionPath, ...] = ("bf16", "tiled", "inductor", "cudagraphs")
# Those under bfloat16 autocast.
AUTOCAST: tuple[ConvolutionPath, ...] = ("bf16", "inductor", "cudagraphs")
# Those in tiles, with the type that float32 signals are given there.
TILED: dict[ConvolutionPath, torch.dtype] = {"tiled": torch.bfloat16, "tiled32": torch.float32}

# (x [batch, n_in, n_times], weight [n_out, n_in, kernel], bias [n_out]) -> [batch, n_out, n_times]
Convolution: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def convolution(path: ConvolutionPath) -> Convolution:
    """A convolution over time that keeps the length, with TensorFlow's SAME padding.

    An even kernel k has no middle: SAME adds (k - 1) // 2 zeros on the left and k // 2 on the right.

    Raises:
        KeyError: no such path.
    """
    ways = {"direct": direct, "fourier": fourier, **dict.fromkeys(AUTOCAST, direct), **dict.fromkeys(TILED, tiled)}
    return ways[path]


def direct(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """By PyTorch, in the precision that autocast sets."""
    kernel = weight.shape[-1]
    padded = F.pad(x, ((kernel - 1) // 2, kernel // 2)).unsqueeze(2)
    # Two-dimensional convolutions of height 1 with channels last run faster on a CPU than Conv1d does.
    padded = padded.contiguous(memory_format=torch.channels_last)
    return F.conv2d(padded, weight.unsqueeze(2), bias).squeeze(2)


def fourier(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """In the frequency domain, or as one matrix product where that is quicker."""
    return unfolded(x, weight, bias) if _is_small(weight) else fourier_convolution(x, weight, bias)


def tiled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """In tiles in the frequency domain, or as one matrix product where that is quicker; in the type of `x`."""
    return unfolded(x, weight, bias) if _is_small(weight) else tiled_convolution(x, weight, bias)


def _is_small(weight: Tensor) -> bool:
    """Whether there are so few products per sample that they do not repay transforms."""
    return weight.shape[1] * weight.shape[2] <= 64


def unfolded(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As one matrix product with all shifted copies of the signals, in the type of `x`."""
    n_times, kernel = x.shape[-1], weight.shape[-1]
    padded = F.pad(x, ((kernel - 1) // 2, kernel // 2))
    shifted = padded.unfold(-1, n_times, 1).flatten(1, 2)  # [batch, n_in * kernel, n_times]
    taps = weight.to(x.dtype).flatten(1).expand(len(x), -1, -1)
    return torch.bmm(taps, shifted) if bias is None else torch.baddbmm(bias.to(x.dtype).unsqueeze(-1), taps, shifted)
