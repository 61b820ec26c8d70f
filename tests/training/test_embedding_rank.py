import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgtune.training.embedding_rank import EmbeddingRank


def rank(*batches):
    gathered = EmbeddingRank()
    for batch in batches:
        gathered.add(batch)
    return gathered.value


def by_definition(embeddings):
    singular = torch.linalg.svdvals((embeddings - embeddings.mean(dim=0)).double())
    shares = singular / singular.sum()
    return math.exp(-sum(float(p) * math.log(float(p)) for p in shares if p > 0))


@given(seed=st.integers(0, 10_000), n=st.integers(20, 60), d=st.integers(2, 12), cut=st.integers(1, 19))
def test_it_is_the_entropy_of_the_singular_values_however_it_is_batched(seed, n, d, cut):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(n, d, generator=generator) * torch.logspace(0, -2, d) + 3.0
    assert rank(embeddings[:cut], embeddings[cut:]) == pytest.approx(by_definition(embeddings), rel=1e-4)


def test_equal_directions_all_count():
    assert rank(torch.cat([torch.eye(8), -torch.eye(8)])) == pytest.approx(8.0)


def test_embeddings_on_a_line_have_rank_one():
    assert rank(torch.linspace(-1, 1, 50)[:, None] * torch.randn(1, 16)) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("value", [0.0, 1.0, 123.456])
def test_embeddings_that_are_all_alike_have_none(value):
    assert rank(torch.full((50, 16), value)) == 0.0
    assert rank(torch.full((50, 16), value) * (1 + 1e-8 * torch.randn(50, 16))) == 0.0


def test_what_is_no_number_has_no_rank():
    assert math.isnan(rank(torch.full((4, 3), math.nan)))
    assert math.isnan(rank())
