"""Gaussian noise."""

import torch
from torch import Tensor


def noise(x: Tensor, generator: torch.Generator, *, snr_db: float) -> Tensor:
    """Add white Gaussian noise to every window.

    Args:
        x: windows [batch, n_times].
        generator: on the device of `x`.
        snr_db: the power of the window about its mean over the expected power of the noise, in dB.

    Returns:
        [batch, n_times]. A constant window has no power, so it stays as it is.
    """
    amplitude = x.std(dim=1, keepdim=True, correction=0) * float(10.0 ** (-snr_db / 20.0))
    return x + amplitude * torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
