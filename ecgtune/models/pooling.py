"""How feature maps are summarised over time."""

import torch
from torch import Tensor


def pool(maps: Tensor, pooling: str) -> Tensor:
    """Summarise feature maps over time.

    Args:
        maps: [batch, n_maps, n_positions], n_positions at least 1.
        pooling: `max`, `mean`, or `max+mean+std` (population standard deviation), one after the other.

    Returns:
        [batch, n_maps], or [batch, 3 * n_maps] for `max+mean+std`.

    Raises:
        KeyError: no such pooling.
    """
    if pooling == "max":
        return maps.amax(dim=-1)
    if pooling == "mean":
        return maps.mean(dim=-1)
    if pooling == "max+mean+std":
        return summaries(maps)
    raise KeyError(pooling)


def summaries(maps: Tensor) -> Tensor:
    """All the summaries there are: [batch, n_maps, n_positions] -> [batch, 3 * n_maps], max then mean then std.

    They are worth caching: `select` takes any pooling from them.
    """
    mean = maps.mean(dim=-1)
    variance = (maps - mean.unsqueeze(-1)).square().mean(dim=-1)
    # The square root has no finite gradient at 0, where a map is constant.
    varies = variance > 0
    std = torch.where(varies, torch.where(varies, variance, 1.0).sqrt(), 0.0)
    return torch.cat([maps.amax(dim=-1), mean, std], dim=-1)


def select(summary: Tensor, pooling: str) -> Tensor:
    """Take one pooling from the output of `summaries`; equal to `pool(maps, pooling)`.

    Args:
        summary: [batch, 3 * n_maps].
        pooling: as for `pool`.

    Raises:
        KeyError: no such pooling.
    """
    n_maps = summary.shape[-1] // 3
    return summary[..., {"max": slice(n_maps), "mean": slice(n_maps, 2 * n_maps), "max+mean+std": slice(None)}[pooling]]
