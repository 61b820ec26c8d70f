"""A larger or smaller amplitude."""

from torch import Tensor


def scaling(x: Tensor, *, factor: float) -> Tensor:
    """Multiply windows [batch, n_times] by `factor`, above 0."""
    return x * factor
