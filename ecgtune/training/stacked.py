"""The heads of all folds as one network, on features that do not change."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgtune.config import EmotionConfig
from ecgtune.models import EmotionHead, build_emotion_head
from ecgtune.training.emotion_data import EmotionData
from ecgtune.training.emotion_loss import N_OUTPUTS, class_weights, cross_entropy, positive_probability
from ecgtune.training.features import build_scaling, raw_features
from ecgtune.training.folds import FoldOutput, LossSum, epoch_batches
from ecgtune.training.loop import Progress, copied
from ecgtune.training.optimiser import build_optimizer, set_rate
from ecgtune.training.seed import torch_generator


class StackedHeads(nn.Module):
    """Several emotion heads of one shape, each on its own batch; every layer is one batched matrix product.

    Args:
        heads: at least one; their weights are copied.
        dropout: as the heads have it.

    Shape:
        [n_heads, batch, n_features] -> logits [n_heads, batch, n_outputs].
    """

    def __init__(self, heads: Sequence[EmotionHead], dropout: float) -> None:
        super().__init__()
        self._dropout = dropout
        dense = [{name: part for name, part in head.named_modules() if isinstance(part, nn.Linear)} for head in heads]
        self._names = tuple(dense[0])
        layers = [[head[name] for head in dense] for name in self._names]
        self.weights = nn.ParameterList(_stack([part.weight.T for part in layer]) for layer in layers)
        self.biases = nn.ParameterList(_stack([part.bias[None] for part in layer]) for layer in layers)

    def forward(self, features: Tensor) -> Tensor:
        """Features of each head's batch -> logits."""
        last = len(self.weights) - 1
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            features = torch.baddbmm(bias, features, weight)
            if number < last:
                features = F.relu(features)
                if self.training and self._dropout:
                    features = _dropped(features, self._dropout)
        return features

    def decay(self, l2: float) -> None:
        """Add the gradient of `l2` times the sum of squares of all heads' weights, biases left out."""
        for weight in self.weights:
            if weight.grad is not None:
                weight.grad.add_(weight.detach(), alpha=2.0 * l2)

    def head_state(self, number: int) -> dict[str, Tensor]:
        """The state dict of one head, as `EmotionHead` names it."""
        state = {}
        for name, weight, bias in zip(self._names, self.weights, self.biases, strict=True):
            state[f"{name}.weight"] = weight[number].detach().T.to("cpu", copy=True).contiguous()
            state[f"{name}.bias"] = bias[number, 0].detach().to("cpu", copy=True)
        return state


class FrozenFolds:
    """All folds' heads on a frozen encoder, trained together; each gets the numbers that it would get alone."""

    micro_batch: int | None = None

    def __init__(
        self, config: EmotionConfig, data: EmotionData, seed: int, device: str, progress: Progress | None
    ) -> None:
        self._config, self._data, self._seed, self._device, self._progress = config, data, seed, device, progress
        features = raw_features(config, data).to(device)
        self._scaling = build_scaling(config, data, device)
        self._features = self._scaling.by_person(features)
        self._classes = torch.from_numpy(data.classes).to(features)
        weights = [class_weights(config.class_weights, data.classes[fold.train]) for fold in data.folds]
        self._class_weights = torch.from_numpy(np.stack(weights)).to(device)
        heads = [
            build_emotion_head(
                config.head,
                torch_generator(seed, "head", fold),
                n_features=features.shape[1],
                n_outputs=N_OUTPUTS[config.loss],
            )
            for fold in range(len(data.folds))
        ]
        self._heads = StackedHeads(heads, config.head.dropout).to(device)
        self._optimizer = build_optimizer(config, (self._heads.parameters(), 1.0))

    def train(self, epoch: int, rate: float) -> FoldOutput:
        """Train every fold for one epoch."""
        self._heads.train()
        set_rate(self._optimizer, rate)
        probability, losses = self._nothing(), LossSum(len(self._data.folds))
        batches = epoch_batches(self._data.folds, self._config.batch_size, self._seed, epoch)
        for number, batch in enumerate(batches, start=1):
            index, present = self._padded(batch)
            loss, weight, said = self._pass(index, present)
            # Every fold takes the mean over its own batch; the folds share no parameter, so the sum trains each alone.
            per_fold = (loss * weight).sum(dim=1) / present.sum(dim=1).clamp(min=1)
            self._optimizer.zero_grad()
            torch.autograd.backward(per_fold.sum())
            if self._config.head.l2:
                self._heads.decay(self._config.head.l2)
            self._optimizer.step()
            losses.add(slice(None), loss, weight)
            _record(probability, index, present, said)
            if self._progress:
                self._progress(number, len(batches))
        return FoldOutput(losses.mean(), probability)

    @torch.no_grad()
    def validate(self) -> FoldOutput:
        """Look at each fold's validation windows."""
        self._heads.eval()
        probability, losses = self._nothing(), LossSum(len(self._data.folds))
        index, present = self._padded([fold.val for fold in self._data.folds])
        loss, weight, said = self._pass(index, present)
        losses.add(slice(None), loss, weight)
        _record(probability, index, present, said)
        return FoldOutput(losses.mean(), probability)

    def state(self) -> dict[str, Any]:
        """Heads and optimiser."""
        return {"heads": copied(self._heads), "optimizer": copy.deepcopy(self._optimizer.state_dict())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        self._heads.load_state_dict(state["heads"])
        self._optimizer.load_state_dict(state["optimizer"])

    def encoder_weights(self) -> dict[str, Tensor]:
        """The pretext encoder's, unchanged."""
        return copied(self._data.encoder)

    def head_weights(self) -> dict[str, Tensor]:
        """Each fold's head and the scaling before it."""
        named: dict[str, Tensor] = {}
        for fold in range(len(self._data.folds)):
            state = self._heads.head_state(fold) | {
                "center": self._scaling.fold_center[fold].cpu(),
                "scale": self._scaling.fold_scale[fold].cpu(),
            }
            named |= {f"fold{fold}.{name}": value for name, value in state.items()}
        return named

    def _pass(self, index: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Windows [n_folds, width] -> loss, weight and probability, each of that shape; padding weighs nothing."""
        center, scale = self._scaling.fold_center[:, None], self._scaling.fold_scale[:, None]
        logits = self._heads((self._features[index] - center) / scale)
        classes = self._classes[index]
        weight = self._class_weights.gather(1, classes.long()) * present
        return cross_entropy(logits, classes), weight, positive_probability(logits)

    def _padded(self, batch: Sequence[NDArray[np.integer]]) -> tuple[Tensor, Tensor]:
        """Indices of different lengths as [n_folds, width], and whether each place holds a window."""
        width = max(map(len, batch))
        index = np.zeros((len(batch), width), dtype=np.int64)
        present = np.zeros((len(batch), width), dtype=np.bool_)
        for fold, windows in enumerate(batch):
            index[fold, : len(windows)] = windows
            present[fold, : len(windows)] = True
        return torch.from_numpy(index).to(self._device), torch.from_numpy(present).to(self._device)

    def _nothing(self) -> NDArray[np.float32]:
        return np.full((len(self._data.folds), len(self._data.classes)), np.nan, dtype=np.float32)


def _record(probability: NDArray[np.float32], index: Tensor, present: Tensor, said: Tensor) -> None:
    fold, place = np.nonzero(present.cpu().numpy())
    probability[fold, index.cpu().numpy()[fold, place]] = said.detach().cpu().numpy()[fold, place]


def _dropped(features: Tensor, share: float) -> Tensor:
    """`F.dropout`, which on a CPU takes six times as long: its mask draws 64 bits for a unit, this one 16."""
    quarter = -(-features.numel() // 4)
    drawn = torch.empty(quarter, dtype=torch.int64, device=features.device).random_(-(2**63), None)
    bits = drawn.view(torch.int16)[: features.numel()].view(features.shape)
    mask = torch.ge(bits, min(round(share * 2**16), 2**16 - 1) - 2**15, out=torch.empty_like(features))
    return features * mask.mul_(1.0 / (1.0 - share))


def _stack(parts: Sequence[Tensor]) -> nn.Parameter:
    return nn.Parameter(torch.stack([part.detach() for part in parts]).contiguous())
