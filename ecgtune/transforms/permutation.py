"""Pieces of the signal in another order."""

import torch
from torch import Tensor

from ecgtune.errors import ConfigError


def permutation(x: Tensor, generator: torch.Generator, *, pieces: int) -> Tensor:
    """Cut every window into pieces and put them together in a random order, which is never the old one.

    Args:
        x: windows [batch, n_times].
        generator: on the device of `x`.
        pieces: from 2 to n_times; their lengths differ by one sample where n_times cannot be divided evenly.

    Returns:
        [batch, n_times], with the samples of `x` in another order.

    Raises:
        ConfigError: more pieces than samples.
    """
    batch, n_times = x.shape
    if pieces > n_times:
        raise ConfigError("permutation", [f"{pieces} pieces do not fit into {n_times} samples; take fewer pieces"])
    order = _orders(batch, pieces, generator, x.device)
    edges = torch.arange(pieces + 1, device=x.device) * n_times // pieces
    lengths = edges.diff()
    ends = lengths[order].cumsum(dim=1)
    # How far each piece moves, at the place that it has in the original window.
    shift = torch.empty_like(order).scatter_(1, order, ends - lengths[order] - edges[:-1][order])
    piece = torch.repeat_interleave(lengths, output_size=n_times)
    target = torch.arange(n_times, device=x.device) + shift[:, piece]
    return torch.empty_like(x).scatter_(1, target, x)


def _orders(batch: int, pieces: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """[batch, pieces]: random orders of 0..pieces-1. One that changes nothing is turned round by one piece."""
    order = torch.rand(batch, pieces, generator=generator, device=device).argsort(dim=1)
    unchanged = (order == torch.arange(pieces, device=device)).all(dim=1, keepdim=True)
    return torch.where(unchanged, order.roll(1, dims=1), order)
