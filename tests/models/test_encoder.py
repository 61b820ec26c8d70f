"""The encoder against an independent computation in NumPy, loop by loop."""

from itertools import product

import numpy as np
import pytest
import torch

from ecgtune.config import EncoderConfig
from ecgtune.models import Encoder, build_encoder, pool

BATCH_NORM_EPS = 1e-5


def same_convolution(maps, weight, bias):
    """TensorFlow SAME at stride 1: `total` zeros around the input, the smaller half on the left."""
    n_out, _, kernel = weight.shape
    total = kernel - 1
    padded = np.pad(maps, ((0, 0), (total // 2, total - total // 2)))
    out = np.empty((n_out, maps.shape[1]))
    for position in range(maps.shape[1]):
        out[:, position] = np.tensordot(weight, padded[:, position : position + kernel], axes=([1, 2], [0, 1]))
    return out + bias[:, None]


def expected_maps(encoder, window, activation):
    """One window [n_times] -> activated maps [128, n_positions], in the published order of operations."""
    act = {"relu": lambda v: np.maximum(v, 0), "leaky_relu": lambda v: np.where(v > 0, v, 0.2 * v)}[activation]
    state = {name: value.double().numpy() for name, value in encoder.state_dict().items()}
    maps = window[None]
    for number in range(6):
        weight = state[f"layers.{number}.conv.weight"][:, :, 0]
        maps = same_convolution(maps, weight, state.get(f"layers.{number}.conv.bias", np.zeros(len(weight))))
        if f"layers.{number}.norm.weight" in state:
            mean, variance, gamma, beta = (
                state[f"layers.{number}.norm.{part}"][:, None]
                for part in ("running_mean", "running_var", "weight", "bias")
            )
            maps = (maps - mean) / np.sqrt(variance + BATCH_NORM_EPS) * gamma + beta
        maps = act(maps)
        if number in (1, 3):
            starts = range(0, maps.shape[1] - 8 + 1, encoder.pool_stride)
            maps = np.stack([maps[:, start : start + 8].max(axis=1) for start in starts], axis=1)
    return maps


def expected_features(maps, pooling):
    parts = {"max": maps.max(axis=1), "mean": maps.mean(axis=1), "std": maps.std(axis=1)}
    return np.concatenate([parts[name] for name in pooling.split("+")])


@pytest.mark.parametrize(
    ("pool_stride", "activation", "batch_norm", "pooling"),
    [
        *product([2, 8], ["leaky_relu", "relu"], [False, True], ["max"]),
        (3, "leaky_relu", True, "mean"),
        (2, "relu", False, "max+mean+std"),
    ],
)
def test_every_option_equals_an_independent_computation(pool_stride, activation, batch_norm, pooling, generator):
    config = EncoderConfig(pool_stride=pool_stride, activation=activation, batch_norm=batch_norm, pooling=pooling)
    encoder = build_encoder(config, generator).double().eval()
    with torch.no_grad():
        for name, value in encoder.state_dict().items():
            if ("norm" in name and value.is_floating_point()) or name.endswith("bias"):
                # A batch norm that turns signs round must not upset the order of pooling and activation.
                low = 0.5 if "running_var" in name else -1.0
                value.uniform_(low, 1.5, generator=generator)
        x = torch.randn(2, 300, generator=generator, dtype=torch.float64)
        maps, features = encoder.feature_maps(x).numpy(), encoder(x).numpy()
    for window, found_maps, found_features in zip(x.numpy(), maps, features, strict=True):
        expected = expected_maps(encoder, window, activation)
        np.testing.assert_allclose(found_maps, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found_features, expected_features(expected, pooling), rtol=1e-6, atol=1e-7)


def test_the_default_is_the_published_encoder(generator):
    encoder = build_encoder(EncoderConfig(), generator)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 329_152
    assert encoder.n_features == 128
    lengths = []
    for layer in encoder.layers:
        layer.register_forward_hook(lambda _module, _inputs, output: lengths.append(output.shape[-1]))
    assert encoder.feature_maps(torch.zeros(1, 2560)).shape == (1, 128, 635)
    assert lengths == [2560, 2560, 1277, 1277, 635, 635]


def test_batch_norm_replaces_the_biases(generator):
    encoder = build_encoder(EncoderConfig(batch_norm=True), generator)
    filters = 2 * (32 + 64 + 128)
    # Two parameters of batch norm per filter instead of one bias.
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 329_152 - filters + 2 * filters


@pytest.mark.parametrize("pooling", ["max", "mean", "max+mean+std"])
@pytest.mark.parametrize("pool_stride", [1, 2, 8])
def test_features_are_the_pooled_maps_at_any_length(pool_stride, pooling, generator):
    encoder = build_encoder(EncoderConfig(pool_stride=pool_stride, pooling=pooling), generator)
    for n_times in (encoder.min_times, 1000, 2561):
        x = torch.randn(2, n_times, generator=generator)
        features = encoder(x)
        assert features.shape == (2, encoder.n_features)
        torch.testing.assert_close(features, pool(encoder.feature_maps(x), pooling), rtol=0, atol=0)
    with pytest.raises(RuntimeError):
        encoder(torch.zeros(1, encoder.min_times - 1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_work(dtype, generator):
    encoder = build_encoder(EncoderConfig(pooling="max+mean+std"), generator).to(dtype)
    features = encoder(torch.randn(2, 400, generator=generator).to(dtype))
    assert features.dtype == dtype
    assert features.isfinite().all()


def test_it_can_be_exported_as_a_graph(generator):
    encoder = build_encoder(EncoderConfig(), generator).eval()
    x = torch.randn(2, 300, generator=generator)
    program = torch.export.export(encoder, (x,))
    torch.testing.assert_close(program.module()(x), encoder(x))


def test_batch_norm_learns_from_a_batch_only_in_training(generator):
    encoder = build_encoder(EncoderConfig(batch_norm=True), generator)
    x = 5 + torch.randn(4, 300, generator=generator)
    before = encoder.layers[0].norm.running_mean.clone()
    encoder.eval()(x)
    assert torch.equal(encoder.layers[0].norm.running_mean, before)
    encoder.train()(x)
    assert not torch.equal(encoder.layers[0].norm.running_mean, before)


def test_an_unknown_activation_is_refused():
    with pytest.raises(KeyError, match="tanh"):
        Encoder(activation="tanh")
