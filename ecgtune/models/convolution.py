"""The ways to compute the encoder's convolutions. They differ in speed and rounding, not in what they compute.

direct   PyTorch's own, float32 (on a GPU as its settings say, by default TF32), with the channels together in memory
fourier  by way of the frequency domain, float32: fastest on a processor without matrix units
bf16     PyTorch's own under bfloat16 autocast: fastest where the machine has matrix units for it
"""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ecgtune.models.fourier import fourier_convolution

ConvolutionPath: TypeAlias = Literal["direct", "fourier", "bf16"]
PATHS: tuple[ConvolutionPath, ...] = get_args(ConvolutionPath)

# (x [batch, n_in, n_times], weight [n_out, n_in, kernel], bias [n_out]) -> [batch, n_out, n_times]
Convolution: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def convolution(path: ConvolutionPath) -> Convolution:
    """A convolution over time that keeps the length, with TensorFlow's SAME padding.

    An even kernel k has no middle: SAME adds (k - 1) // 2 zeros on the left and k // 2 on the right.

    Raises:
        KeyError: no such path.
    """
    return {"direct": direct, "bf16": direct, "fourier": fourier}[path]


def direct(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """By PyTorch, in the precision that autocast sets."""
    kernel = weight.shape[-1]
    padded = F.pad(x, ((kernel - 1) // 2, kernel // 2)).unsqueeze(2)
    # Two-dimensional convolutions of height 1 with channels last run faster on a CPU than Conv1d does.
    padded = padded.contiguous(memory_format=torch.channels_last)
    return F.conv2d(padded, weight.unsqueeze(2), bias).squeeze(2)


def fourier(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """In the frequency domain, or as one matrix product where that is quicker."""
    n_in, kernel = weight.shape[1:]
    # Few products per sample do not repay the transforms.
    return unfolded(x, weight, bias) if n_in * kernel <= 64 else fourier_convolution(x, weight, bias)


def unfolded(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As one matrix product with all shifted copies of the signals."""
    n_times, kernel = x.shape[-1], weight.shape[-1]
    padded = F.pad(x, ((kernel - 1) // 2, kernel // 2))
    shifted = padded.unfold(-1, n_times, 1).flatten(1, 2)  # [batch, n_in * kernel, n_times]
    taps = weight.flatten(1).expand(len(x), -1, -1)
    return torch.bmm(taps, shifted) if bias is None else torch.baddbmm(bias.unsqueeze(-1), taps, shifted)
