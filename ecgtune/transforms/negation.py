"""The signal upside down."""

from torch import Tensor


def negation(x: Tensor) -> Tensor:
    """Turn windows [batch, n_times] upside down."""
    return -x
