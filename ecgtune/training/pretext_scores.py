"""The scores of a pretext epoch, gathered batch by batch."""

import math
from collections.abc import Sequence

import numpy as np

from ecgtune.pretext import StepOutput
from ecgtune.training.metrics import accuracy, confusion_matrix, f1_scores, finite, macro_f1


class PretextScores:
    """Sums over the batches of one epoch.

    Args:
        n_classes: of the task.
        loss: `one_vs_rest` or `softmax`, which tells how a logit says yes.
    """

    def __init__(self, n_classes: int, loss: str) -> None:
        self.confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
        self.n_views = 0
        self._loss = 0.0
        self._n_windows = 0
        self._right_answers = 0
        self._softmax = loss == "softmax"

    def add(self, out: StepOutput, n_windows: int) -> None:
        """Count one batch, weighted by its number of windows."""
        logits, classes = out.logits.detach(), out.classes
        self._loss += float(out.loss.detach()) * n_windows
        self._n_windows += n_windows
        self.n_views += len(classes)
        guess = logits.argmax(dim=1)
        self.confusion += confusion_matrix(classes.cpu().numpy(), guess.cpu().numpy(), logits.shape[1])
        # A one-vs-rest head says yes above probability 1/2; so does a softmax class.
        yes = logits.softmax(dim=1) > 0.5 if self._softmax else logits > 0
        truth = classes[:, None] == classes.new_tensor(range(logits.shape[1]))
        self._right_answers += int((yes == truth).sum())

    @property
    def is_finite(self) -> bool:
        """Whether the loss still is a finite number."""
        return math.isfinite(self._loss)

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
        """One-vs-rest accuracy, macro F1, and each class's F1."""
        if not self.is_finite:
            names = ["one_vs_rest_accuracy", "macro_f1", *(f"f1/{name}" for name in classes)]
            return {f"{side}_{name}": math.nan for name in names}
        scores = f1_scores(self.confusion)
        return finite(
            {
                f"{side}_one_vs_rest_accuracy": self._right_answers / (self.n_views * len(classes)),
                f"{side}_macro_f1": macro_f1(self.confusion),
                **{f"{side}_f1/{name}": score for name, score in zip(classes, scores, strict=True)},
            }
        )
