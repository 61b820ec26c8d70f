"""Some pieces of the signal slower, the others faster."""

import torch
from torch import Tensor


def time_warping(x: Tensor, generator: torch.Generator, *, pieces: int, stretch: float) -> Tensor:
    """Warp time.

    Args:
        x: windows [batch, n_times].
        generator: on the device of `x`.
        pieces: at least 2, of equal length.
        stretch: above 1.
    """
    batch, n_times = x.shape
    span = n_times - 1
    order = torch.rand(batch, pieces, generator=generator, device=x.device).argsort(dim=1)
    stretched = order < (pieces + 1) // 2
    # Output samples per piece.
    length = torch.where(stretched, stretch, 1.0 / stretch).to(x.dtype) * (span / pieces)
    end = length.cumsum(dim=1)
    room = (end[:, -1:] - span).clamp(min=0.0)
    time = room * torch.rand(batch, 1, generator=generator, device=x.device, dtype=x.dtype)
    time = time + torch.arange(n_times, device=x.device, dtype=x.dtype)
    piece = torch.searchsorted(end, time).clamp(max=pieces - 1)
    into = (time - (end - length).gather(1, piece)) / length.gather(1, piece)
    position = ((piece + into) * (span / pieces)).clamp(0.0, span)
    left = position.floor().long().clamp(max=n_times - 2)
    fraction = position - left
    return torch.lerp(x.gather(1, left), x.gather(1, left + 1), fraction)
