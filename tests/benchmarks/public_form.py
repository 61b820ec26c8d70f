"""Pretext training in the form that public re-implementations have, written anew: the baseline of `pretext_naive.py`.

`Conv1d` layers in float32; every window is augmented alone, with NumPy, in a `Dataset`; a batch of 32 windows gives
seven optimiser steps, one per transformation. The network is ecgtune's own: same shapes, and `copy_weights` makes its
outputs the same. Nothing is slowed down on purpose: no shuffling by hand, no logging, no validation.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ecgtune.pretext.transformation_recognition import PUBLISHED_WEIGHTS

LAYERS = ((1, 32, 32), (32, 32, 32), (32, 64, 16), (64, 64, 16), (64, 128, 8), (128, 128, 8))
N_CLASSES = 7
BATCH = 32


class PublicEncoder(nn.Module):
    """Convolution, activation, and after every second pair of them a maximum over 8 samples."""

    def __init__(self, pool_stride):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(n_in, n_out, kernel) for n_in, n_out, kernel in LAYERS)
        self.pool = nn.MaxPool1d(8, stride=pool_stride)

    def forward(self, x):
        x = x.unsqueeze(1)
        for number, layer in enumerate(self.layers):
            kernel = layer.kernel_size[0]
            x = F.leaky_relu(layer(F.pad(x, ((kernel - 1) // 2, kernel // 2))), 0.2)
            if number in (1, 3):
                x = self.pool(x)
        return x.max(dim=2).values


class PublicNetwork(nn.Module):
    """The encoder and one small head per transformation."""

    def __init__(self, pool_stride, dropout=0.6):
        super().__init__()
        self.encoder = PublicEncoder(pool_stride)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Dropout(dropout), nn.Linear(128, 1))
            for _ in range(N_CLASSES)
        )

    def forward(self, x):
        features = self.encoder(x)
        return torch.cat([head(features) for head in self.heads], dim=1)


def copy_weights(network, encoder, heads):
    """Give the network the weights of ecgtune's encoder and pretext heads, in their order."""
    theirs = [*encoder.parameters(), *heads.parameters()]
    ours = [*network.encoder.parameters(), *network.heads.parameters()]
    with torch.no_grad():
        for mine, given in zip(ours, theirs, strict=True):
            mine.copy_(given.reshape(mine.shape))


class AugmentedWindows(Dataset):
    """Seven views of one window: [7, n_times] float32."""

    def __init__(self, windows):
        self.windows = windows

    def __len__(self):
        return len(self.windows)

    def __getitem__(self, number):
        x = self.windows[number]
        views = (x, noisy(x), 1.1 * x, -x, x[::-1], permuted(x), warped(x))
        return np.stack(views).astype(np.float32)


def noisy(x, snr_db=15.0):
    power = np.mean((x - x.mean()) ** 2) / 10 ** (snr_db / 10)
    return x + np.random.normal(0.0, np.sqrt(power), len(x))  # noqa: NPY002 - the form that is measured


def permuted(x, pieces=20):
    parts = np.array_split(x, pieces)
    return np.concatenate([parts[number] for number in np.random.permutation(pieces)])  # noqa: NPY002


def warped(x, pieces=9, stretch=1.05):
    parts = np.array_split(x, pieces)
    slow = np.random.permutation(pieces) < (pieces + 1) // 2  # noqa: NPY002
    changed = []
    for part, is_slow in zip(parts, slow, strict=True):
        n = round(len(part) * (stretch if is_slow else 1 / stretch))
        changed.append(np.interp(np.linspace(0, len(part) - 1, n), np.arange(len(part)), part))
    whole = np.concatenate(changed)
    return np.pad(whole, (0, max(0, len(x) - len(whole))))[: len(x)]


class PublicTraining:
    """A network, its optimiser and its loader; every call trains one epoch and gives the number of views."""

    def __init__(self, windows, pool_stride, workers):
        self.network = PublicNetwork(pool_stride)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        self.loader = DataLoader(
            AugmentedWindows(windows), BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
        )
        self.weights = torch.tensor(list(PUBLISHED_WEIGHTS.values()))

    def epoch(self):
        self.network.train()
        n_views = 0
        for batch in self.loader:
            for number in range(N_CLASSES):
                truth = torch.zeros(len(batch), N_CLASSES)
                truth[:, number] = 1.0
                self.optimizer.zero_grad()
                logits = self.network(batch[:, number])
                per_head = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(dim=0)
                penalty = sum((layer.weight**2).sum() for layer in self.network.heads.modules() if _dense(layer))
                ((self.weights * per_head).sum() + 1e-4 * penalty).backward()
                self.optimizer.step()
                n_views += len(batch)
        return n_views


def _dense(layer):
    return isinstance(layer, nn.Linear)
