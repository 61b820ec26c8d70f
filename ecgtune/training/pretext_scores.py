"""The scores of a pretext epoch, gathered batch by batch."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ecgtune.pretext import StepOutput
from ecgtune.training.embedding_rank import EmbeddingRank
from ecgtune.training.metrics import accuracy, f1_scores, finite, macro_f1


class PretextScores:
    """Sums over the batches of one epoch, on the device where they are computed: reading one waits for the device.

    Args:
        n_classes: of the task.
        loss: `one_vs_rest` or `softmax`, which tells how a logit says yes.
        device: of the logits.
        rank: whether to follow the rank of the embeddings too.
    """

    def __init__(self, n_classes: int, loss: str, device: str = "cpu", *, rank: bool = False) -> None:
        self.n_views = 0
        self._n_classes = n_classes
        self._n_windows = 0
        self._softmax = loss == "softmax"
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self._right_sum = torch.zeros((), dtype=torch.int64, device=device)
        self._counts = torch.zeros(n_classes**2, dtype=torch.int64, device=device)
        self._rank = EmbeddingRank() if rank else None

    def add(self, out: StepOutput, n_windows: int) -> None:
        """Count one batch, weighted by its number of windows."""
        logits, classes = out.logits.detach(), out.classes
        self._n_windows += n_windows
        self.n_views += len(classes)
        self._loss_sum += out.loss.detach().double() * n_windows
        cells = classes * self._n_classes + logits.argmax(dim=1)
        self._counts.scatter_add_(0, cells, torch.ones_like(cells))
        # A one-vs-rest head says yes above probability 1/2; so does a softmax class.
        yes = logits.softmax(dim=1) > 0.5 if self._softmax else logits > 0
        truth = classes[:, None] == torch.arange(self._n_classes, device=classes.device)
        self._right_sum += (yes == truth).sum()
        if self._rank is not None:
            self._rank.add(out.features)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts [n_classes, n_classes], rows are the truth."""
        counts: NDArray[np.int64] = self._counts.cpu().numpy().reshape(self._n_classes, self._n_classes).copy()
        return counts

    @property
    def is_finite(self) -> bool:
        """Whether the loss still is a finite number."""
        return math.isfinite(self._loss)

    @property
    def _loss(self) -> float:
        return float(self._loss_sum)

    def summary(self, side: str) -> dict[str, float]:
        """Loss and accuracy under the names of a side, `train` or `val`."""
        return finite(
            {
                f"{side}_loss": self._loss / self._n_windows,
                # Of a broken network argmax still names a class; that is no accuracy.
                f"{side}_accuracy": accuracy(self.confusion) if self.is_finite else math.nan,
            }
        )

    def details(self, side: str, classes: Sequence[str]) -> dict[str, float]:
        """One-vs-rest accuracy, macro F1, the rank of the embeddings where it is followed, and each class's F1."""
        rank = {} if self._rank is None else {f"{side}_embedding_rank": self._rank.value}
        if not self.is_finite:
            names = ["one_vs_rest_accuracy", "macro_f1", *(["embedding_rank"] if rank else ())]
            names += [f"f1/{name}" for name in classes]
            return {f"{side}_{name}": math.nan for name in names}
        scores = f1_scores(self.confusion)
        return finite(
            {
                f"{side}_one_vs_rest_accuracy": int(self._right_sum) / (self.n_views * len(classes)),
                f"{side}_macro_f1": macro_f1(self.confusion),
                **rank,
                **{f"{side}_f1/{name}": score for name, score in zip(classes, scores, strict=True)},
            }
        )
