"""One encoder per fold, trained end to end with its head. Correct rather than fast: the folds take turns."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgtune.config import EmotionConfig
from ecgtune.models import Encoder, build_emotion_head, pool, squared_weights
from ecgtune.models.fused import FUSED
from ecgtune.training.emotion_data import EmotionData
from ecgtune.training.emotion_loss import N_OUTPUTS, class_weights, cross_entropy, positive_probability
from ecgtune.training.features import build_scaling, pooling_of, raw_features
from ecgtune.training.folds import FoldOutput, LossSum, epoch_batches
from ecgtune.training.loop import Progress, common, copied, micro_batch, slices
from ecgtune.training.optimiser import build_optimizer, set_rate
from ecgtune.training.seed import torch_generator

# See `micro_batch`.
MICRO_BATCH = {"cpu": 32, "cuda": 256, "norm": 32}


class UnfrozenFolds:
    """Each fold's own copy of the encoder and its head; the encoder's rate is `encoder_lr_factor` times the head's.

    Features are scaled as the encoder's were before training: a scaling that moved with the weights could not be
    trained through.
    """

    def __init__(
        self,
        config: EmotionConfig,
        data: EmotionData,
        seed: int,
        device: str,
        progress: Progress | None,
        *,
        halved: bool = False,
    ) -> None:
        self._config, self._data, self._seed, self._device, self._progress = config, data, seed, device, progress
        self._pooling = pooling_of(config, data)
        batch_norm = data.card["architecture"]["encoder"]["batch_norm"]
        self.micro_batch = micro_batch(MICRO_BATCH, device, batch_norm=batch_norm, halved=halved)
        self._scaling = build_scaling(config, data, device)
        self._classes = torch.from_numpy(data.classes).to(device)
        n_features = raw_features(config, data).shape[1]
        self._fused_sizes = common(self._sizes()) if data.encoder.path in FUSED else frozenset[int]()
        self._weights: list[Tensor] = []
        self._folds: list[_Fold] = []
        for number, fold in enumerate(data.folds):
            weights = class_weights(config.class_weights, data.classes[fold.train])
            self._weights.append(torch.from_numpy(weights).to(device))
            head = build_emotion_head(
                config.head,
                torch_generator(seed, "head", number),
                n_features=n_features,
                n_outputs=N_OUTPUTS[config.loss],
            )
            self._folds.append(_Fold(config, copy.deepcopy(data.encoder).to(device), head.to(device)))

    def train(self, epoch: int, rate: float) -> FoldOutput:
        """Train every fold for one epoch."""
        probability, losses = self._nothing(), LossSum(len(self._folds))
        batches = epoch_batches(self._data.folds, self._config.batch_size, self._seed, epoch)
        for model in self._folds:
            model.train()
            set_rate(model.optimizer, rate)
        for step, batch in enumerate(batches, start=1):
            for number, (model, windows) in enumerate(zip(self._folds, batch, strict=True)):
                model.optimizer.zero_grad()
                torch.autograd.backward(self._config.head.l2 * squared_weights(model.head))
                for part in slices(windows, self.micro_batch):
                    loss, weight = self._look(number, part, probability)
                    losses.add(number, loss, weight)
                    torch.autograd.backward((loss * weight).sum() / len(windows))
                model.optimizer.step()
            if self._progress:
                self._progress(step, len(batches))
        return FoldOutput(losses.mean(), probability)

    @torch.no_grad()
    def validate(self) -> FoldOutput:
        """Look at each fold's validation windows."""
        probability, losses = self._nothing(), LossSum(len(self._folds))
        for number, (model, fold) in enumerate(zip(self._folds, self._data.folds, strict=True)):
            model.eval()
            for part in slices(fold.val, self.micro_batch):
                losses.add(number, *self._look(number, part, probability))
        return FoldOutput(losses.mean(), probability)

    def state(self) -> dict[str, Any]:
        """Encoders, heads and optimisers."""
        return {
            "folds": [copied(model) for model in self._folds],
            "optimizers": [copy.deepcopy(model.optimizer.state_dict()) for model in self._folds],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        for model, weights, optimizer in zip(self._folds, state["folds"], state["optimizers"], strict=True):
            model.load_state_dict(weights)
            model.optimizer.load_state_dict(optimizer)

    def encoder_weights(self) -> dict[str, Tensor]:
        """Every fold's encoder."""
        return self._named([copied(model.encoder) for model in self._folds])

    def head_weights(self) -> dict[str, Tensor]:
        """Each fold's head and the scaling before it."""
        scaling = self._scaling
        return self._named(
            [
                copied(model.head) | {"center": scaling.fold_center[k].cpu(), "scale": scaling.fold_scale[k].cpu()}
                for k, model in enumerate(self._folds)
            ]
        )

    def _look(self, number: int, part: NDArray[np.integer], probability: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        """One fold's model on some windows: loss and weight of each; what it said goes into `probability`."""
        index = torch.from_numpy(np.asarray(part)).to(self._device)
        windows = torch.from_numpy(self._data.dataset.windows[self._data.rows[part]]).to(self._device)
        model, classes = self._folds[number], self._classes[index]
        model.encoder.fuses = len(part) in self._fused_sizes
        features = self._scaling.by_person(pool(model.encoder.feature_maps(windows), self._pooling), index)
        logits = model.head(self._scaling.by_fold(features, number))
        probability[number, part] = positive_probability(logits).detach().cpu().numpy()
        return cross_entropy(logits, classes.to(logits)), self._weights[number][classes]

    def _sizes(self) -> Iterator[int]:
        """How many windows each pass of an epoch has."""
        for batch in epoch_batches(self._data.folds, self._config.batch_size, self._seed, 0):
            for windows in batch:
                yield from map(len, slices(windows, self.micro_batch))

    def _named(self, states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return {f"fold{k}.{name}": value for k, state in enumerate(states) for name, value in state.items()}

    def _nothing(self) -> NDArray[np.float32]:
        return np.full((len(self._folds), len(self._data.classes)), np.nan, dtype=np.float32)


class _Fold(nn.Module):
    def __init__(self, config: EmotionConfig, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        groups = (encoder.parameters(), config.encoder_lr_factor), (head.parameters(), 1.0)
        self.optimizer = build_optimizer(config, *groups)
