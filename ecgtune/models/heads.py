"""What stands on the encoder: the pretext heads and the emotion head."""

import torch
from torch import Tensor, nn


class PretextHeads(nn.Module):
    """One small network per class, each of which answers "is it this class?".

    Args:
        n_features: of the encoder.
        n_classes: heads to build.
        hidden: units of each head's hidden layer.
        dropout: probability that a hidden unit is dropped in training, in [0, 1).

    Shape:
        [batch, n_features] -> logits [batch, n_classes].
    """

    def __init__(self, n_features: int, n_classes: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_dense(n_features, 1, hidden, dropout, 1) for _ in range(n_classes))

    def forward(self, features: Tensor) -> Tensor:
        """Features [batch, n_features] -> logits [batch, n_classes]."""
        return torch.cat([head(features) for head in self.heads], dim=1)


class EmotionHead(nn.Module):
    """Dense layers on the encoder's features.

    Args:
        n_features: of the encoder.
        layers: hidden layers; with 0 it is a linear probe.
        hidden: units of each hidden layer.
        dropout: probability that a hidden unit is dropped in training, in [0, 1).
        n_outputs: 1 for a sigmoid, the number of classes for a softmax.

    Shape:
        [batch, n_features] -> logits [batch, n_outputs].
    """

    def __init__(self, n_features: int, layers: int, hidden: int, dropout: float, n_outputs: int) -> None:
        super().__init__()
        self.layers = _dense(n_features, layers, hidden, dropout, n_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Features [batch, n_features] -> logits [batch, n_outputs]."""
        logits: Tensor = self.layers(features)
        return logits


def squared_weights(module: nn.Module) -> Tensor:
    """The sum of squares of all dense weights of a module, biases left out, as a scalar.

    Multiplied by `l2` it is what a Keras layer with `kernel_regularizer=l2(...)` adds to the loss (no factor 1/2).

    Raises:
        ValueError: the module has no dense layer.
    """
    weights = [part.weight for part in module.modules() if isinstance(part, nn.Linear)]
    if not weights:
        raise ValueError(f"{type(module).__name__} has no dense layer")
    return torch.stack([weight.square().sum() for weight in weights]).sum()


def _dense(n_in: int, layers: int, hidden: int, dropout: float, n_out: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for _ in range(layers):
        parts += [nn.Linear(n_in, hidden), nn.ReLU(), nn.Dropout(dropout)]
        n_in = hidden
    return nn.Sequential(*parts, nn.Linear(n_in, n_out))
