"""Embeddings are computed once, for the encoder and the data they belong to."""

import numpy as np
import pytest
import torch

from ecgtune.config import EncoderConfig
from ecgtune.models import build_encoder
from ecgtune.training import embed

STRIDE_8 = EncoderConfig(pool_stride=8)


@pytest.fixture
def encoder():
    return build_encoder(STRIDE_8, torch.Generator().manual_seed(0))


def compute(encoder, dataset, cache, config=STRIDE_8, **more):
    return embed.summaries(encoder, config, dataset, cache=cache, **more)


def test_every_window_is_summarised_and_kept(encoder, make_dataset, tmp_path, monkeypatch):
    dataset = make_dataset(bad=1)
    steps = []
    first = compute(encoder, dataset, tmp_path, progress=lambda *p: steps.append(p))
    maps = encoder.feature_maps(torch.from_numpy(np.array(dataset.windows))).detach().numpy()
    expected = np.concatenate([maps.max(2), maps.mean(2), maps.std(2)], axis=1)
    np.testing.assert_allclose(first, expected, atol=1e-4)
    assert steps[-1] == (len(dataset.windows), len(dataset.windows))
    monkeypatch.setattr(embed, "_compute", None)
    again = compute(encoder, dataset, tmp_path)
    assert isinstance(again, np.memmap)
    np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize("path", ["direct", "tiled"])
def test_embeddings_do_not_depend_on_the_path_which_is_left_as_it_was(path, encoder, make_dataset, tmp_path):
    dataset = make_dataset(subjects=1, per_class=1)
    encoder.path = "fourier"
    expected = np.array(compute(encoder, dataset, tmp_path / "one"))
    encoder.path = path
    np.testing.assert_array_equal(compute(encoder, dataset, tmp_path / "other"), expected)
    assert encoder.path == path


def test_other_weights_architecture_or_data_are_other_embeddings(encoder, make_dataset, tmp_path):
    small = make_dataset(subjects=1, per_class=1)
    compute(encoder, small, tmp_path)
    compute(encoder, small, tmp_path, EncoderConfig(pool_stride=8, pooling="mean"))
    assert len(list(tmp_path.glob("summaries-*"))) == 1, "the pooling is chosen later"
    compute(encoder, small, tmp_path, EncoderConfig(pool_stride=8, activation="relu"))
    compute(encoder, make_dataset(subjects=2, per_class=1), tmp_path)
    with torch.no_grad():
        next(encoder.parameters())[0] += 1
    compute(encoder, small, tmp_path)
    assert len(list(tmp_path.glob("summaries-*"))) == 4


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY junk", None])
def test_a_damaged_file_is_computed_again(damage, encoder, make_dataset, tmp_path):
    small = make_dataset(subjects=1, per_class=1)
    first = np.array(compute(encoder, small, tmp_path))
    (path,) = tmp_path.glob("summaries-*")
    path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    np.testing.assert_array_equal(compute(encoder, small, tmp_path), first)
    np.testing.assert_array_equal(np.load(path), first)


def test_batch_norm_is_used_as_learned_and_left_so(make_dataset, tmp_path):
    config = EncoderConfig(pool_stride=8, batch_norm=True)
    encoder = build_encoder(config, torch.Generator().manual_seed(0)).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    compute(encoder, make_dataset(subjects=1, per_class=1), tmp_path, config)
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
