"""All folds in one network: the numbers of each fold trained alone with plain PyTorch modules."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ecgtune.config import EmotionConfig, EmotionHeadConfig, configure
from ecgtune.models import build_emotion_head, select
from ecgtune.training.finetune import finetune
from ecgtune.training.folds import epoch_batches
from ecgtune.training.seed import torch_generator
from ecgtune.training.stacked import StackedHeads, _dropped

OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.1),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.8),
}


def alone(config, data, fold, epochs, seed):
    """One fold, trained with an `EmotionHead` and nothing of the stacked code but its batches."""
    head = build_emotion_head(
        config.head,
        torch_generator(seed, "head", fold),
        n_features=128,
        n_outputs=1 if config.loss == "sigmoid" else 2,
    )
    optimizer = OPTIMIZERS[config.optimizer](head.parameters())
    x = select(torch.from_numpy(data.summaries), "mean").numpy().astype(np.float64)
    train = data.folds[fold].train
    if config.features == "standardised":
        x = (x - x[train].mean(0)) / np.maximum(x[train].std(0), 1e-6)
    if config.features == "person":
        for person in set(data.persons):
            mine = data.persons == person
            x[mine] = (x[mine] - x[mine].mean(0)) / np.maximum(x[mine].std(0), 1e-6)
    x, y = torch.from_numpy(x).float(), torch.from_numpy(data.classes)
    counts = np.bincount(data.classes[train])
    weight = torch.tensor([len(train) / 2 / c for c in counts]) if config.class_weights == "balanced" else torch.ones(2)
    for epoch in range(epochs):
        for batch in epoch_batches(data.folds, config.batch_size, seed, epoch):
            index = torch.from_numpy(batch[fold])
            logits = head(x[index])
            if config.loss == "sigmoid":
                loss = F.binary_cross_entropy_with_logits(logits[:, 0], y[index].float(), reduction="none")
            else:
                loss = F.cross_entropy(logits, y[index], reduction="none")
            loss = (loss * weight[y[index]].float()).mean()
            for name, value in head.named_parameters():
                if name.endswith("weight"):
                    loss = loss + config.head.l2 * (value**2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    logits = head(x[data.folds[fold].val]).detach()
    probability = logits[:, 0].sigmoid() if config.loss == "sigmoid" else logits.softmax(1)[:, 1]
    return head.state_dict(), probability.numpy()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"optimizer": "sgd", "loss": "softmax", "features": "standardised", "head/layers": 1},
        {"optimizer": "adamw", "class_weights": "none", "features": "person", "head/l2": 0.01},
        {"head/layers": 0, "batch_size": 1000},
    ],
)
def test_every_fold_gets_the_numbers_it_would_get_alone(given, emotion):
    data = emotion(folds=3)
    # Folds of different sizes, so that there is padding.
    short = replace(data.folds[1], train=data.folds[1].train[:-5])
    data = replace(data, folds=(data.folds[0], short, data.folds[2]))
    common = {"adam/lr": 0.01, "adamw/lr": 0.01, "adamw/weight_decay": 0.1, "sgd/momentum": 0.8, "batch_size": 7}
    names = {f"emotion/{name}": value for name, value in ({"pooling": "mean"} | common | given).items()}
    config = configure(EmotionConfig, names, where="test")
    *_, last = finetune(config, data, epochs=3, seed=5)
    snapshot = last.snapshot()
    for number, fold in enumerate(data.folds):
        weights, probability = alone(config, data, number, 3, 5)
        np.testing.assert_allclose(snapshot.predictions[fold.val], probability, atol=2e-5)
        for name, value in weights.items():
            torch.testing.assert_close(snapshot.heads[f"fold{number}.{name}"], value, rtol=1e-4, atol=2e-5)


def test_batches_cover_every_training_window_once_and_in_a_new_order(emotion):
    data = emotion(folds=3)
    first, again, other = (epoch_batches(data.folds, 7, 0, epoch) for epoch in (0, 0, 1))
    for number, fold in enumerate(data.folds):
        windows = np.concatenate([batch[number] for batch in first])
        assert sorted(windows) == sorted(fold.train)
        assert max(len(batch[number]) for batch in first) <= 7
        assert np.array_equal(windows, np.concatenate([batch[number] for batch in again]))
        assert not np.array_equal(windows, np.concatenate([batch[number] for batch in other]))


def test_dropout_only_while_training():
    config = EmotionHeadConfig(dropout=0.5)
    heads = [build_emotion_head(config, torch_generator(0, "head", k), n_features=4, n_outputs=1) for k in range(2)]
    stacked = StackedHeads(heads, config.dropout)
    x = torch.randn(2, 3, 4)
    assert not torch.equal(stacked(x), stacked(x))
    stacked.eval()
    expected = torch.stack([head.eval()(x[k]) for k, head in enumerate(heads)])
    torch.testing.assert_close(stacked(x), expected)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_dropout_drops_its_share_and_scales_the_rest(share):
    torch.manual_seed(0)
    ones = torch.ones(5, 401, 513, requires_grad=True)  # no multiple of the four units that one draw serves
    found = _dropped(ones, share)
    assert (found == 0).float().mean().item() == pytest.approx(share, abs=0.002)
    kept = found[found != 0]
    assert torch.equal(kept, torch.full_like(kept, 1 / (1 - share)))
    # Units are dropped one by one: neighbours, who share a draw, no more often together than by chance.
    gone = (found == 0).float()
    assert (gone[..., :-1] * gone[..., 1:]).mean().item() == pytest.approx(share**2, abs=0.002)
    found.sum().backward()
    assert torch.equal(ones.grad, found.detach())


def test_dropout_never_keeps_all_because_its_share_is_large():
    assert (_dropped(torch.ones(1000), 0.999999) == 0).sum() > 990


def test_a_layer_drops_in_training_only():
    heads = [build_emotion_head(EmotionHeadConfig(layers=1), torch_generator(0, "head", 0), n_features=8, n_outputs=1)]
    stacked, x = StackedHeads(heads, 0.5), torch.randn(1, 16, 8)
    assert not torch.equal(stacked(x), stacked(x))
    stacked.eval()
    assert torch.equal(stacked(x), stacked(x))
