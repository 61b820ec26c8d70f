"""The emotion stage's loss: sigmoid or softmax cross-entropy, with weights for the classes."""

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

# One output says "positive"; a softmax has one per class.
N_OUTPUTS = {"sigmoid": 1, "softmax": 2}


def cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Each window's loss.

    Args:
        logits: [..., 1] for a sigmoid, [..., 2] for a softmax.
        classes: [...] 0 or 1, of the logits' type.

    Returns:
        [...], not weighted.
    """
    if logits.shape[-1] == 1:
        return F.binary_cross_entropy_with_logits(logits.squeeze(-1), classes, reduction="none")
    log_probability = F.log_softmax(logits, dim=-1)
    return -(classes * log_probability[..., 1] + (1 - classes) * log_probability[..., 0])


def positive_probability(logits: Tensor) -> Tensor:
    """The probability of class 1: [..., 1] or [..., 2] -> [...]."""
    return logits.squeeze(-1).sigmoid() if logits.shape[-1] == 1 else logits.softmax(dim=-1)[..., 1]


def class_weights(kind: str, classes: NDArray[np.integer]) -> NDArray[np.float32]:
    """[2] the weight of each class: with `balanced` both classes of a training side [n] weigh the same in sum.

    Their mean over the windows is 1, so a learning rate means the same with and without them.

    Raises:
        KeyError: no such kind.
    """
    if kind == "none":
        return np.ones(2, dtype=np.float32)
    if kind == "balanced":
        counts = np.bincount(classes, minlength=2)
        return (len(classes) / (2.0 * counts)).astype(np.float32)
    raise KeyError(kind)
