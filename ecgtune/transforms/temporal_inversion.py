"""The signal backwards."""

from torch import Tensor


def temporal_inversion(x: Tensor) -> Tensor:
    """Let windows [batch, n_times] run backwards in time."""
    return x.flip(1)
