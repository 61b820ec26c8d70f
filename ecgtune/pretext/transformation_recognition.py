"""Which transformation was applied to a window? (Sarkar & Etemad, IEEE TAC 2020, arXiv 2002.03898)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ecgtune.config import TRANSFORMS as CLASSES
from ecgtune.config import PretextConfig, TransformsConfig
from ecgtune.models import Encoder, build_pretext_heads, squared_weights
from ecgtune.pretext.task import StepOutput
from ecgtune.transforms import TRANSFORMS

# The published weights of the classes' loss terms; they sum to 1. Negation and inversion are the easy ones.
PUBLISHED_WEIGHTS = {name: 0.0125 if name in ("negation", "temporal_inversion") else 0.195 for name in CLASSES}


class TransformationRecognition:
    """Every window gives one view per class; the heads tell which is which.

    Args:
        config: `transforms`, `loss`, `loss_weights` and `head` are used.
    """

    classes: tuple[str, ...] = CLASSES

    def __init__(self, config: PretextConfig) -> None:
        self._config = config
        uniform = dict.fromkeys(CLASSES, 1.0 / len(CLASSES))
        weights = PUBLISHED_WEIGHTS if config.loss_weights == "published" else uniform
        self._weights = torch.tensor([weights[name] for name in CLASSES])
        self._loss = {"one_vs_rest": one_vs_rest, "softmax": softmax}[config.loss]

    def build_heads(self, encoder: Encoder, generator: torch.Generator) -> nn.Module:
        """One head per class."""
        return build_pretext_heads(
            self._config.head, generator, n_features=encoder.n_features, n_classes=len(self.classes)
        )

    def views(self, windows: Tensor, generator: torch.Generator) -> Tensor:
        """Windows [batch, n_times] -> views [7, batch, n_times], one per class."""
        return make_views(windows, generator, self._config.transforms)

    def step(self, encoder: Encoder, heads: nn.Module, views: Tensor) -> StepOutput:
        """Views [7, batch, n_times] -> loss over all of them, class after class."""
        n_views, batch, _ = views.shape
        classes = torch.arange(n_views, device=views.device).repeat_interleave(batch)
        features: Tensor = encoder(views.flatten(0, 1))
        logits: Tensor = heads(features)
        loss = self._loss(logits, classes, self._weights.to(logits))
        return StepOutput(loss, logits, classes, self._config.head.l2 * squared_weights(heads), features.detach())


def make_views(windows: Tensor, generator: torch.Generator, config: TransformsConfig) -> Tensor:
    """Windows [batch, n_times] -> views [n_classes, batch, n_times], in the order of the classes."""
    return torch.stack([TRANSFORMS[name](windows, generator, config) for name in CLASSES])


def one_vs_rest(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Sigmoid cross-entropy of every head, averaged over the views; then the weighted sum over the heads.

    A weight multiplies the whole term of a head. It is not `pos_weight`, which multiplies the positive views only.

    Args:
        logits: [n_views, n_classes].
        classes: [n_views] int64.
        weights: [n_classes].
    """
    truth = F.one_hot(classes, logits.shape[1]).to(logits)
    per_head = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(dim=0)
    return (weights * per_head).sum()


def softmax(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Softmax cross-entropy, averaged over the views of each class; then the weighted sum over the classes.

    With uniform weights and as many views of every class it is the plain mean over the views.

    Args:
        logits: [n_views, n_classes].
        classes: [n_views] int64.
        weights: [n_classes]; scaled so that the classes present add up to 1.
    """
    return F.cross_entropy(logits, classes, weight=weights)
