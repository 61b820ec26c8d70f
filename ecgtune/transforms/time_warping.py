"""Some pieces of the signal slower, the others faster."""

import torch
from torch import Tensor

from ecgtune.transforms.interpolation import read_along


def time_warping(x: Tensor, generator: torch.Generator, *, pieces: int, stretch: float) -> Tensor:
    """Cut every window into pieces of equal duration; slow some down and speed the others up; crop at random.

    Half of the pieces, rounded up, become `stretch` times as long, the others 1 / `stretch` times; which ones is
    drawn for each window. The whole is then never shorter than the window was (stretch + 1 / stretch >= 2), so
    that a crop of exactly n_times samples needs no padding.

    All frequencies of a piece move with its pace, which is the warp itself: mains hum at 60 Hz comes out at 57 or
    63 Hz, and that can be seen in a few samples. See `ecgtune.transforms.interpolation` for what cannot.

    Args:
        x: windows [batch, n_times].
        generator: on the device of `x`.
        pieces: at least 2.
        stretch: above 1.

    Returns:
        [batch, n_times].
    """
    return read_along(x, warped_times(x, generator, pieces=pieces, stretch=stretch))


def warped_times(x: Tensor, generator: torch.Generator, *, pieces: int, stretch: float) -> Tensor:
    """The time in the old window, in samples, that each sample of the warped one shows: [batch, n_times].

    The times rise, from 0 at the earliest to n_times - 1 at the latest.
    """
    batch, n_times = x.shape
    span = n_times - 1
    device, dtype = x.device, torch.promote_types(x.dtype, torch.float32)
    slow = torch.rand(batch, pieces, generator=generator, device=device).argsort(dim=1) < (pieces + 1) // 2
    factor = torch.tensor([1.0 / stretch, stretch], device=device, dtype=dtype)[slow.long()]
    old_end = torch.arange(1, pieces + 1, device=device, dtype=dtype) * (span / pieces)
    end = (factor * (span / pieces)).cumsum(dim=1)
    room = (end[:, -1:] - span).clamp(min=0.0)
    start = room * torch.rand(batch, 1, generator=generator, device=device, dtype=dtype)
    now = start + torch.arange(n_times, device=device, dtype=dtype)
    piece = torch.searchsorted(end, now).clamp(max=pieces - 1)
    # Counted back from the end of its piece, where the old time is known.
    old: Tensor = old_end[piece] - (end.gather(1, piece) - now) / factor.gather(1, piece)
    return old.clamp(0.0, span)
