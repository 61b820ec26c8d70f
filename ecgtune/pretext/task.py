"""The seam between a pretext task and the training loop."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ecgtune.models import Encoder


class StepOutput(NamedTuple):
    """What one forward pass gives.

    Args:
        loss: scalar, the mean over the views, without regularisation, so that runs can be compared by it.
        logits: [n_views * batch, n_classes].
        classes: [n_views * batch] int64, the right class of each view.
        penalty: scalar, the regularisation, which training adds to the loss.
        features: [n_views * batch, n_features], the encoder's, detached.
    """

    loss: Tensor
    logits: Tensor
    classes: Tensor
    penalty: Tensor
    features: Tensor


class PretextTask(Protocol):
    """A task whose labels come from the windows themselves."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        ...

    def build_heads(self, encoder: Encoder, generator: torch.Generator) -> nn.Module:
        """Heads for the encoder's features, on the CPU; `generator`, on the CPU too, draws the weights."""
        ...

    def views(self, windows: Tensor, generator: torch.Generator) -> Tensor:
        """Windows [batch, n_times] -> views [n_views, batch, n_times].

        `generator` lives on the device of `windows` and draws whatever is random.
        """
        ...

    def step(self, encoder: Encoder, heads: nn.Module, views: Tensor) -> StepOutput:
        """Pass views [n_views, batch, n_times] through, and compute the loss."""
        ...
