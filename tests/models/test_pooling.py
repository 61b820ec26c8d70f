"""Pooling over time, at once and from cached summaries."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgtune.config import POOLINGS
from ecgtune.models import pool, select, summaries


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 50), st.integers(0, 2**31))
def test_cached_summaries_give_every_pooling(batch, n_maps, n_positions, seed):
    maps = torch.randn(batch, n_maps, n_positions, generator=torch.Generator().manual_seed(seed))
    cached = summaries(maps)
    for pooling in POOLINGS:
        torch.testing.assert_close(select(cached, pooling), pool(maps, pooling), rtol=0, atol=0)


def test_the_order_is_max_mean_std():
    maps = torch.tensor([[[1.0, 2.0, 6.0], [0.0, 0.0, -3.0]]])
    expected = torch.tensor([[6.0, 0.0, 3.0, -1.0, (14 / 3) ** 0.5, 2.0**0.5]])
    torch.testing.assert_close(summaries(maps), expected)


def test_a_constant_map_has_a_finite_gradient():
    maps = torch.ones(1, 2, 5, requires_grad=True)
    pool(maps, "max+mean+std").sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


def test_an_unknown_pooling_is_refused():
    with pytest.raises(KeyError, match="median"):
        pool(torch.zeros(1, 2, 3), "median")
    with pytest.raises(KeyError, match="median"):
        select(torch.zeros(1, 6), "median")
