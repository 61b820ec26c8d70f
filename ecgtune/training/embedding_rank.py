"""How many directions of the feature space do the embeddings use?

The effective rank (Roy & Vetterli, EUSIPCO 2007; as RankMe in Garrido et al., arXiv 2210.02885): the exponential of the
entropy of the singular values, here of the centred embeddings. It needs no labels. An encoder whose embeddings are all
alike has none.
"""

import math

import torch
from torch import Tensor

# Embeddings whose spread is below this share of their size differ by rounding alone.
_SPREAD = 1e-6


class EmbeddingRank:
    """Gathers embeddings batch by batch, on the device where they are."""

    def __init__(self) -> None:
        self._n = 0
        self._sum: Tensor | float = 0.0
        self._products: Tensor | float = 0.0

    def add(self, embeddings: Tensor) -> None:
        """Count embeddings [n, n_features]."""
        exact = embeddings.double()
        self._n += len(exact)
        self._sum = self._sum + exact.sum(dim=0)
        self._products = self._products + exact.T @ exact

    @property
    def value(self) -> float:
        """From 1 to n_features; 0 where all embeddings are alike, NaN where one is no number or there is none."""
        if not isinstance(self._products, Tensor) or not isinstance(self._sum, Tensor):
            return math.nan
        if not bool(torch.isfinite(self._products).all()):
            return math.nan
        mean = self._sum / self._n
        covariance = self._products / self._n - torch.outer(mean, mean)
        size = float(self._products.trace()) / self._n
        if float(covariance.trace()) <= size * _SPREAD**2:
            return 0.0
        singular = torch.linalg.eigvalsh(covariance.cpu()).clamp(min=0.0).sqrt()
        shares = singular / singular.sum()
        return float(torch.exp(-torch.xlogy(shares, shares).sum()))
