"""All ways to compute the encoder agree: what comes out, and every gradient."""

import threading
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgtune.config import EncoderConfig
from ecgtune.convolution_path import PATHS
from ecgtune.models import build_encoder, fourier, kept, tiled
from ecgtune.models.convolution import AUTOCAST, convolution, direct, unfolded
from ecgtune.models.fourier import fourier_convolution
from ecgtune.models.kept import unchanging_weights
from ecgtune.models.peak import peak_convolution
from ecgtune.models.tiled import tiled_convolution
from ecgtune.models.window_max import window_max


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def gradients(output, inputs, gradient):
    return torch.autograd.grad(output, inputs, gradient)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 32), st.integers(1, 90), st.integers(0, 99)
)
def test_convolutions_equal_the_direct_one(batch, n_in, n_out, kernel, n_times, seed):
    generator = seeded(seed)
    x = torch.randn(batch, n_in, n_times, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(n_out, n_in, kernel, generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(n_out, generator=generator, dtype=torch.float64, requires_grad=True)
    expected = F.conv1d(F.pad(x, ((kernel - 1) // 2, kernel // 2)), weight, bias)
    outward = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    for convolve in (direct, fourier_convolution, unfolded, tiled_convolution):
        found = convolve(x, weight, bias)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        pairs = zip(
            gradients(found, (x, weight, bias), outward),
            gradients(expected, (x, weight, bias), outward),
            strict=True,
        )
        for one, other in pairs:
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(convolve(x, weight, None), expected - bias[:, None], rtol=1e-9, atol=1e-9)
        expected = F.conv1d(F.pad(x, ((kernel - 1) // 2, kernel // 2)), weight, bias)


@pytest.mark.parametrize("convolve", [fourier_convolution, tiled_convolution])
def test_a_convolution_asks_for_no_gradient_that_is_not_needed(convolve, generator):
    x = torch.randn(2, 3, 50, generator=generator)
    weight = torch.randn(4, 3, 8, generator=generator, requires_grad=True)
    convolve(x, weight, None).sum().backward()
    assert x.grad is None
    assert weight.grad is not None


@given(st.integers(1, 9), st.integers(8, 60), st.integers(0, 99), st.sampled_from([torch.float64, torch.bfloat16]))
@settings(deadline=None)
def test_window_max_equals_the_pooling_of_pytorch(stride, n_times, seed, dtype):
    # Whole numbers, so that windows hold their maximum more than once, and sums are exact.
    x = torch.randint(0, 5, (2, 3, n_times), generator=seeded(seed)).to(dtype).requires_grad_()
    found, expected = window_max(x, stride), F.max_pool1d(x, 8, stride)
    assert torch.equal(found, expected)
    outward = torch.randint(-4, 5, expected.shape, generator=seeded(seed)).to(dtype)
    torch.testing.assert_close(gradients(found, (x,), outward), gradients(expected, (x,), outward))


@pytest.mark.parametrize("convolve", [direct, fourier_convolution, tiled_convolution])
@pytest.mark.parametrize("kernel", [1, 8, 16])
def test_the_peak_of_a_convolution_has_the_gradient_of_a_maximum(convolve, kernel, generator):
    x = torch.randn(3, 4, 50, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, 4, kernel, generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(5, generator=generator, dtype=torch.float64, requires_grad=True)
    found, expected = peak_convolution(convolve, x, weight, bias), direct(x, weight, bias).amax(dim=-1)
    torch.testing.assert_close(found, expected)
    outward = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    for one, other in zip(
        gradients(found, (x, weight, bias), outward), gradients(expected, (x, weight, bias), outward), strict=True
    ):
        torch.testing.assert_close(one, other)


ENCODERS = [
    EncoderConfig(pool_stride=stride, batch_norm=norm, pooling=pooling)
    for stride, norm, pooling in [
        *product([2, 8], [False, True], ["max"]),
        (3, False, "mean"),
        (1, False, "max+mean+std"),
    ]
]


@pytest.mark.parametrize("config", ENCODERS, ids=str)
def test_an_encoder_computes_the_same_on_every_path(config):
    """In double precision, where no rounding can decide which of two samples is the maximum."""
    found = {}
    for path in ("direct", "fourier", "tiled"):
        encoder = build_encoder(config, seeded(0), path).double()
        windows = torch.randn(3, 400, generator=seeded(1), dtype=torch.float64)
        features = encoder(windows)
        torch.autograd.backward(features.square().sum())
        maps = encoder.feature_maps(windows)
        found[path] = [features, maps, *(parameter.grad for parameter in encoder.parameters())]
    for path in ("fourier", "tiled"):
        for one, other in zip(found["direct"], found[path], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("path", "tolerance"), [("fourier", 2e-6), ("bf16", 3e-2), ("tiled", 3e-2), ("tiled32", 5e-6)])
def test_the_features_differ_by_no_more_than_the_precision(path, tolerance):
    """Float32, the published encoder: the largest difference, relative to the largest feature."""
    windows = torch.randn(4, 640, generator=seeded(1))
    expected = build_encoder(EncoderConfig(), seeded(0))(windows)
    found = build_encoder(EncoderConfig(), seeded(0), path)(windows)
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < tolerance * expected.abs().max()


def test_every_path_draws_the_same_weights():
    first, *others = ([*build_encoder(EncoderConfig(), seeded(5), path).state_dict().values()] for path in PATHS)
    for other in others:
        assert all(torch.equal(one, two) for one, two in zip(first, other, strict=True))


def test_an_unknown_path_is_refused():
    with pytest.raises(KeyError):
        convolution("winograd")


@pytest.fixture
def transformed(monkeypatch):
    """Counts the kernels that are transformed."""
    counted = []
    transform = fourier._transform
    monkeypatch.setattr(fourier, "_transform", lambda weight, n: counted.append(n) or transform(weight, n))
    return counted


def test_within_a_block_a_kernel_in_tiles_is_transformed_once(generator, monkeypatch):
    counted, form = [], tiled.kernel_form
    monkeypatch.setattr(tiled, "kernel_form", lambda *given: counted.append(given) or form(*given))
    x, weight = torch.randn(2, 3, 50, generator=generator), torch.randn(4, 3, 8, generator=generator)
    with torch.no_grad(), unchanging_weights():
        for _ in range(3):
            tiled_convolution(x, weight, None)
        weight += 1.0
        found = tiled_convolution(x, weight, None)
    assert len(counted) == 2
    torch.testing.assert_close(found, direct(x, weight, None), rtol=1e-4, atol=1e-4)


def same(x, weight):
    torch.testing.assert_close(fourier_convolution(x, weight, None), direct(x, weight, None), rtol=1e-4, atol=1e-4)


def test_within_a_block_every_kernel_is_transformed_once(generator, transformed):
    weight, other = torch.randn(2, 3, 2, 8, generator=generator)
    first, second = torch.randn(2, 4, 2, 60, generator=generator)
    with torch.no_grad(), unchanging_weights():
        for x in (first, second):
            same(x, weight)
            same(x, other)
            same(x[..., :50], weight)
            same(x, weight[:, :, :7])
        assert len(transformed) == 4
        # Weights that come and go are given each other's places in memory.
        for number in range(20):
            same(first, weight * number)
        weight += 1.0
        same(first, weight)
    before = len(transformed)
    with torch.no_grad():
        same(first, weight)
        same(first, weight)
    assert len(transformed) == before + 2


def test_blocks_of_two_threads_do_not_meet(generator):
    """The first to enter is the first to leave; what the second leaves behind must not be the first's."""
    weight, x = torch.randn(3, 2, 8, generator=generator), torch.randn(4, 2, 60, generator=generator)
    first, second = threading.Event(), threading.Event()

    def enter_first():
        with torch.no_grad(), unchanging_weights():
            same(x, weight)
            first.set()
            second.wait()

    def enter_second():
        first.wait()
        with torch.no_grad(), unchanging_weights():
            second.set()
            one.join()
        assert kept._kept.get() is None

    one = threading.Thread(target=enter_first)
    one.start()
    enter_second()


def test_bfloat16_is_used_and_its_gradients_are_those_of_float32():
    """To within a tenth of the gradient's length: the format has eight significant bits, the encoder six layers."""
    found = {}
    windows = torch.randn(2, 300, generator=seeded(1))
    for path in ("direct", "bf16", "tiled"):
        encoder = build_encoder(EncoderConfig(pool_stride=8), seeded(0), path)
        features = encoder(windows)
        torch.autograd.backward(features.sum())
        found[path] = features, torch.cat([parameter.grad.flatten() for parameter in encoder.parameters()])
    for path in ("bf16", "tiled"):
        # Float32 would differ, too, by a thousandth of that.
        assert (found[path][0] - found["direct"][0]).norm() > 1e-4 * found["direct"][0].norm()
        gradient, expected = found[path][1], found["direct"][1]
        assert (gradient - expected).norm() < 0.1 * expected.norm()
        assert F.cosine_similarity(gradient, expected, dim=0) > 0.99


@pytest.mark.parametrize(("n_in", "kernel"), [(32, 32), (64, 16), (128, 8)])
def test_bfloat16_in_tiles_has_no_more_than_twice_the_error_of_bfloat16(n_in, kernel, generator):
    """Of what comes out and of both gradients, in their norms; the layers are those of the encoder."""
    x = torch.randn(2, n_in, 400, generator=generator)
    weight = torch.randn(n_in, n_in, kernel, generator=generator) / (n_in * kernel) ** 0.5
    outward = torch.randn(2, n_in, 400, generator=generator)
    found = {}
    ways = {
        "exact": (direct, torch.float64),
        "direct": (direct, torch.bfloat16),
        "tiled": (tiled_convolution, torch.bfloat16),
    }
    for name, (convolve, dtype) in ways.items():
        given = x.bfloat16().to(dtype).requires_grad_()
        # In tiles the weights keep their type, as in training.
        taps = weight.to(torch.float32 if name == "tiled" else dtype).requires_grad_()
        result = convolve(given, taps, None)
        found[name] = [result, *gradients(result, (given, taps), outward.to(dtype))]
    for exact, one, other in zip(*(found[name] for name in ways), strict=True):
        assert (other - exact).norm() < 2 * (one - exact).norm()


@pytest.mark.parametrize("path", ["bf16", "tiled"])
def test_gradients_under_batch_norm_are_within_three_tenths(path):
    """It divides by what rounding has changed, so that both ways in bfloat16 differ more than without it."""
    found = {}
    windows = torch.randn(4, 300, generator=seeded(1))
    for each in ("direct", path):
        encoder = build_encoder(EncoderConfig(pool_stride=8, batch_norm=True), seeded(0), each)
        torch.autograd.backward((encoder(windows) * torch.randn(4, 128, generator=seeded(2))).sum())
        found[each] = torch.cat([parameter.grad.flatten() for parameter in encoder.parameters()])
    assert (found[path] - found["direct"]).norm() < 0.3 * found["direct"].norm()


def test_a_large_sample_spoils_its_tile_and_no_more(generator):
    """In bfloat16 what lies beside a spike is rounded as coarsely as the spike, four kernels' length to each side."""
    kernel, spike = 16, 200
    x = torch.randn(1, 8, 400, generator=generator).bfloat16()
    weight = torch.randn(8, 8, kernel, generator=generator)
    plain = tiled_convolution(x, weight, None)
    x[..., spike] = 1000.0
    changed = (tiled_convolution(x, weight, None) != plain).any(dim=1)[0].nonzero()
    assert spike - 4 * kernel <= changed.min()
    assert changed.max() <= spike + 4 * kernel


@pytest.mark.parametrize("path", ["fourier", "tiled"])
def test_a_window_that_is_too_short_is_refused(path):
    with pytest.raises(ValueError, match="hold no window of 8"):
        build_encoder(EncoderConfig(pooling="mean"), seeded(0), path)(torch.zeros(1, 16))


def test_nothing_that_lay_in_memory_before_is_used(generator, monkeypatch):
    """What is new in memory is filled with NaN here, as PyTorch does when it is asked to be deterministic."""
    x = torch.randn(2, 3, 70, generator=generator, requires_grad=True)
    weight = torch.randn(4, 3, 16, generator=generator, requires_grad=True)
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)
    try:
        found = tiled_convolution(x, weight, None)
        of_x, of_weight = gradients(found, (x, weight), torch.ones_like(found))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(each.isfinite().all() for each in (found, of_x, of_weight))


def test_signals_in_tiles_do_not_reach_each_other(generator):
    """Each lies before the next in memory; one that is not a number would spoil all that it reaches."""
    x = torch.randn(3, 2, 70, generator=generator)
    x[1] = torch.nan
    found = tiled_convolution(x, torch.randn(3, 2, 16, generator=generator), None)
    assert found[[0, 2]].isfinite().all()


@pytest.mark.parametrize("path", PATHS)
def test_every_path_can_be_exported(path):
    """As PyTorch's own operations, in float32 but for the paths that are PyTorch's own bfloat16."""
    encoder = build_encoder(EncoderConfig(), seeded(0), path).eval()
    expected = build_encoder(EncoderConfig(), seeded(0)).eval()
    x = torch.randn(2, 300, generator=seeded(1))
    if path not in AUTOCAST:
        program = torch.export.export(encoder, (x,))
        torch.testing.assert_close(program.module()(x), expected(x), rtol=1e-4, atol=1e-5)
