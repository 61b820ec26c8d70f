"""Convolution over time by way of the frequency domain.

There a convolution is one product per frequency: two real multiplications per sample and pair of channels, where the
direct way needs as many as the kernel is long. With 32, 16 and 8 taps that outweighs the transforms on a machine
without matrix units for half precision. (Convolution theorem; for networks Mathieu et al. 2014, arXiv 1312.5851.)
"""

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ecgtune.models.kept import transformed


def fourier_convolution(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A convolution that keeps the length, with TensorFlow's SAME padding; equal to the direct one up to rounding.

    Args:
        x: [batch, n_in, n_times], float32 or float64.
        weight: [n_out, n_in, kernel]; as in PyTorch, not flipped.
        bias: [n_out], or None.

    Returns:
        [batch, n_out, n_times].
    """
    if bias is None:
        bias = weight.new_zeros(len(weight))
    convolved: Tensor = _FourierConvolution.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return convolved


def _transform(weight: Tensor, n: int) -> Tensor:
    """[n_out, n_in, kernel] -> [frequencies, n_in, n_out]."""
    n_out, n_in, kernel = weight.shape
    to_spectrum, _ = _kernel_transforms(n, kernel, weight.dtype, weight.device)
    taps = weight.permute(2, 1, 0).reshape(kernel, n_in * n_out)
    return (to_spectrum @ taps.to(to_spectrum.dtype)).view(-1, n_in, n_out)


class _FourierConvolution(torch.autograd.Function):
    """The spectra of the input are kept for the backward pass, the input itself is not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        from scipy.fft import next_fast_len  # a fifth of a second, which other paths need not wait

        n_out, n_in, kernel = weight.shape
        n_times = x.shape[-1]
        # The signal lies between zeros, so that what wraps round at the ends is zero.
        n = next_fast_len(n_times + kernel - 1, real=True)
        transfer = transformed(weight, _transform, n)
        spectrum = _spectrum(x, n)
        product = torch.bmm(spectrum, transfer)
        product[0] += n * bias  # a constant has its whole spectrum at frequency 0
        ctx.save_for_backward(spectrum, transfer)
        ctx.sizes = n, n_times, kernel, n_in, n_out
        return _signal(product, n, n_times)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        spectrum, transfer = ctx.saved_tensors
        n, n_times, kernel, n_in, n_out = ctx.sizes
        of_gradient = _spectrum(gradient, n)
        to_x = to_weight = None
        if ctx.needs_input_grad[0]:
            to_x = _signal(torch.bmm(of_gradient, transfer.mH), n, n_times)
        if ctx.needs_input_grad[1]:
            _, from_spectrum = _kernel_transforms(n, kernel, gradient.dtype, gradient.device)
            correlation = torch.bmm(spectrum.mH, of_gradient).view(-1, n_in * n_out)
            to_weight = (from_spectrum @ correlation).real.view(kernel, n_in, n_out).permute(2, 1, 0)
        return to_x, to_weight, of_gradient[0].real.sum(dim=0)


def _spectrum(signals: Tensor, n: int) -> Tensor:
    """[batch, channels, n_times] -> [frequencies, batch, channels]."""
    batch, channels, _ = signals.shape
    spectra: Tensor = torch.fft.rfft(signals, n=n).view(batch * channels, -1)
    # PyTorch is quick at turning a matrix round, and slow at the same with three dimensions.
    return spectra.t().contiguous().view(-1, batch, channels)


def _signal(spectra: Tensor, n: int, n_times: int) -> Tensor:
    """[frequencies, batch, channels] -> [batch, channels, n_times]."""
    frequencies, batch, channels = spectra.shape
    turned = spectra.view(frequencies, batch * channels).t().contiguous()
    signals: Tensor = torch.fft.irfft(turned, n=n)
    return signals[:, :n_times].reshape(batch, channels, n_times)


@lru_cache(maxsize=32)
def _kernel_transforms(n: int, kernel: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The matrices between the few taps of a kernel and its many frequencies: [frequencies, kernel] and back.

    Tap j reaches from sample t to t + j - (kernel - 1) // 2: a cross-correlation, centred as SAME padding centres it.
    """
    frequencies = torch.arange(n // 2 + 1, dtype=torch.float64)
    lags = torch.arange(kernel, dtype=torch.float64) - (kernel - 1) // 2
    angles = 2 * math.pi / n * torch.outer(frequencies, lags)
    to_spectrum = torch.polar(torch.ones_like(angles), angles)
    # A real signal's spectrum holds every frequency twice, but for the first and, at an even length, the last.
    times = torch.full((n // 2 + 1,), 2.0, dtype=torch.float64)
    times[0] = 1.0
    if n % 2 == 0:
        times[-1] = 1.0
    from_spectrum = to_spectrum.mH * (times / n)
    complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
    return to_spectrum.to(device, complex_dtype), from_spectrum.to(device, complex_dtype)
