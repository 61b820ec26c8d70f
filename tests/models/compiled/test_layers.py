"""Compiled layers against PyTorch's own convolution, pooling and activation."""

import pytest
import torch
import torch.nn.functional as F

from ecgtune.config import EncoderConfig
from ecgtune.models import build_encoder, compiled
from ecgtune.models.compiled import library
from ecgtune.models.kept import unchanging_weights

pytestmark = pytest.mark.skipif(not compiled.available(torch.float32), reason="this machine has no C compiler")
SLOPE = 0.2
# What differs by less may be ordered either way by rounding.
CLOSE = 1e-3
AFTER = [compiled.PLAIN, compiled.activated(SLOPE), *(compiled.pooled(SLOPE, stride) for stride in (1, 2, 3, 8, 11))]
# Views, samples, channels in and out, kernel; samples are few and many of a tile's seven kernels.
SHAPES = [(1, 8, 32, 32, 8), (3, 57, 32, 64, 8), (29, 130, 64, 32, 8), (2, 113, 32, 32, 16), (2, 300, 32, 32, 32)]


def padded(x, kernel):
    return F.pad(x, ((kernel - 1) // 2, kernel // 2))


def clear(windows):
    """Where the largest of the last axis is so by more than rounding."""
    best = windows.topk(2, dim=-1).values
    return best[..., 0] - best[..., 1] > CLOSE


def expected(x, weight, bias, after):
    """[view, time, channel] in double precision, and where its gradient does not hang on rounding."""
    maps = F.conv1d(padded(x.mT, weight.shape[-1]), weight, bias)
    sure = torch.ones_like(maps, dtype=torch.bool)
    if after.pools:
        windows = maps.unfold(-1, 8, after.stride)
        maps, sure = windows.amax(dim=-1), clear(windows)
    if after.slope:
        sure &= maps.abs() > CLOSE
        maps = F.leaky_relu(maps, after.slope)
    return maps.mT, sure.mT


def drawn(shape, seed=0):
    n_views, n_times, n_in, n_out, kernel = shape
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_views, n_times, n_in, generator=generator)
    weight = torch.randn(n_out, n_in, kernel, generator=generator) / (n_in * kernel) ** 0.5
    return x, weight, torch.randn(n_out, generator=generator), generator


def gradients(output, inputs, outward):
    return torch.autograd.grad(output, inputs, outward)


def required(*tensors, dtype=None):
    return [tensor.detach().to(dtype or tensor.dtype).requires_grad_() for tensor in tensors]


def assert_near(found, wanted, tolerance=1e-5):
    assert found.shape == wanted.shape
    assert (found.double() - wanted).abs().max() <= tolerance * max(1.0, wanted.abs().max().item())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("after", AFTER, ids=str)
def test_a_layer_is_a_convolution_and_what_comes_after(shape, after):
    x, weight, bias, generator = drawn(shape)
    given, exact = required(x, weight, bias), required(x, weight, bias, dtype=torch.float64)
    found, (wanted, sure) = compiled.convolved(*given, after), expected(*exact, after)
    assert_near(found, wanted)
    outward = torch.randn(wanted.shape, generator=generator) * sure
    for one, other in zip(gradients(found, given, outward), gradients(wanted, exact, outward.double()), strict=True):
        assert_near(one, other)


@pytest.mark.parametrize("kernel", [8, 16, 32])
@pytest.mark.parametrize("after", AFTER, ids=str)
def test_the_first_layer_takes_signals(kernel, after):
    x, weight, bias, generator = drawn((5, 203, 1, 64, kernel))
    given, exact = required(weight, bias), required(weight, bias, dtype=torch.float64)
    found = compiled.signals_convolved(x[..., 0], *given, after, torch.float32)
    wanted, sure = expected(x.double(), *exact, after)
    assert_near(found, wanted)
    outward = torch.randn(wanted.shape, generator=generator) * sure
    for one, other in zip(gradients(found, given, outward), gradients(wanted, exact, outward.double()), strict=True):
        assert_near(one, other)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_peaks_are_maxima_and_have_their_gradient(shape):
    x, weight, bias, generator = drawn(shape)
    given, exact = required(x, weight, bias), required(x, weight, bias, dtype=torch.float64)
    found, maps = compiled.peaks(*given), expected(*exact, compiled.PLAIN)[0]
    assert_near(found, maps.amax(dim=1))
    outward = torch.randn(found.shape, generator=generator) * clear(maps.mT)
    wanted = gradients(maps.amax(dim=1), exact, outward.double())
    for one, other in zip(gradients(found, given, outward), wanted, strict=True):
        assert_near(one, other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("after", AFTER[1:], ids=str)
def test_what_comes_after_a_convolution_alone_is_exact(dtype, after):
    """Whole numbers, so that windows hold their maximum more than once; the gradient goes to the first."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-4, 5, (2, 57, 64), generator=generator).to(dtype)
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    pooled = F.max_pool1d(other.mT, 8, after.stride).mT if after.pools else other
    found, wanted = compiled.finished(one, after), F.leaky_relu(pooled, SLOPE)
    assert found.dtype == dtype
    torch.testing.assert_close(found, wanted)
    outward = torch.randint(-4, 5, found.shape, generator=generator).to(dtype)
    torch.testing.assert_close(gradients(found, (one,), outward), gradients(wanted, (other,), outward))


@pytest.mark.parametrize("shape", [(3, 400, 32, 32, 32), (3, 400, 64, 64, 16), (3, 400, 128, 128, 8)], ids=str)
def test_bfloat16_has_no_more_than_twice_the_error_of_pytorchs_own(shape):
    x, weight, bias, generator = drawn(shape)
    outward = torch.randn(x.shape[0], x.shape[1], shape[3], generator=generator)
    found = []
    for dtype in (torch.float64, torch.bfloat16):
        given = required(x.bfloat16(), weight, bias, dtype=dtype)
        maps = F.conv1d(padded(given[0].mT, shape[-1]), *given[1:]).mT
        found.append([maps, *gradients(maps, given, outward.to(dtype))])
    given = [*required(x.bfloat16()), *required(weight, bias)]
    maps = compiled.convolved(*given, compiled.PLAIN)
    assert maps.dtype == torch.bfloat16
    found.append([maps, *gradients(maps, given, outward.bfloat16())])
    for exact, pytorchs, ours in zip(*found, strict=True):
        assert (ours - exact).norm() < 2 * (pytorchs - exact).norm()


def everything(threads, after, shape=(40, 130, 64, 32, 8)):
    """What comes out of each kind of layer, and all gradients, with so many threads."""
    x, weight, bias, generator = drawn(shape)
    first = torch.randn(32, 1, 8, generator=generator)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        given = required(x, weight, bias, first)
        maps = compiled.convolved(*given[:3], after)
        results = [maps, compiled.peaks(*given[:3]), compiled.finished(given[0], after)]
        results.append(compiled.signals_convolved(x[..., 0], given[3], given[2], after, torch.float32))
        outward = [torch.ones_like(each) for each in results]
        return results, list(torch.autograd.grad(results, given, outward))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("after", AFTER[1:3], ids=str)
def test_threads_change_nothing_but_the_order_of_sums(after):
    alone, shared = everything(1, after), everything(3, after)
    assert all(torch.equal(one, other) for one, other in zip(alone[0], shared[0], strict=True))
    for one, other in zip(alone[1], shared[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
    for one, other in zip(shared[1], everything(3, after)[1], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("first", "second"), [(1, 4), (4, 1)])
def test_the_number_of_threads_may_change_before_the_way_back(first, second):
    x, weight, bias, _ = drawn((40, 130, 32, 32, 8))
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (second, first):
            torch.set_num_threads(threads)
            given = required(x, weight, bias)
            taps = required(weight[:, :1])
            maps = compiled.finished(compiled.convolved(*given, AFTER[3]), AFTER[1])
            signals = compiled.signals_convolved(x[..., 0], *taps, given[2], AFTER[3], torch.float32)
            total = maps.sum() + compiled.peaks(*given).sum() + signals.sum()
            torch.set_num_threads(second)
            found.append(torch.autograd.grad(total, [*given, *taps]))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_autocast_outside_changes_nothing():
    x, weight, bias, _ = drawn((3, 130, 32, 32, 8))
    found = []
    for enabled in (False, True):
        given = required(x, weight, bias)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            maps = compiled.convolved(*given, AFTER[3])
            found.append([maps, *gradients(maps.sum() + compiled.peaks(*given).sum(), given, None)])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_what_lies_otherwise_in_memory_is_the_same():
    x, weight, bias, generator = drawn((3, 130, 32, 32, 8))
    outward = torch.randn(3, 32, generator=generator)
    found = []
    for turn in (lambda each: each, lambda each: each.mT.contiguous().mT):
        given = required(turn(x), turn(weight), bias.repeat_interleave(2)[::2])
        results = [compiled.convolved(*given, AFTER[1]), compiled.finished(given[0], AFTER[3])]
        results += [compiled.signals_convolved(turn(x[..., 0]), given[1][:, :1], given[2], AFTER[3], torch.float32)]
        outer = [turn(torch.ones_like(each)) for each in results]
        peaks = compiled.peaks(*given)
        found.append([*results, *torch.autograd.grad([*results, peaks], given, [*outer, outward.t().contiguous().t()])])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("shape", "weights"),
    [((2, 60, 40), (32, 40, 8)), ((2, 60, 32), (40, 32, 8)), ((2, 60, 32), (32, 32, 4)), ((2, 60, 32), (32, 64, 8)),
     ((60, 32), (32, 32, 8))],
)  # fmt: skip
def test_other_sizes_are_refused(shape, weights):
    x, weight, bias = torch.zeros(shape), torch.zeros(weights), torch.zeros(weights[0])
    for call in (
        lambda: compiled.convolved(x, weight, bias, compiled.PLAIN),
        lambda: compiled.peaks(x, weight, bias),
        lambda: compiled.signals_convolved(x, weight, bias, compiled.PLAIN, torch.float32),
    ):
        with pytest.raises(ValueError, match="do not go with|allowed are"):
            call()
    with pytest.raises(ValueError, match="allowed are"):
        compiled.finished(torch.zeros(2, 60, 40), compiled.activated(SLOPE))


@pytest.mark.parametrize("slope", [0.0, SLOPE])
def test_activations_of_what_is_not_finite_are_those_of_pytorch(slope):
    x = torch.tensor([-torch.inf, -1.0, 0.0, 1.0, torch.inf, torch.nan]).repeat(32, 1).t().unsqueeze(0)
    expected = F.leaky_relu(x, slope) if slope else F.relu(x)
    torch.testing.assert_close(compiled.finished(x, compiled.activated(slope)), expected, equal_nan=True)


def test_nothing_that_lay_in_memory_before_is_used(monkeypatch):
    """What is new in memory is filled with NaN here, as PyTorch does when it is asked to be deterministic."""
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)
    try:
        found = everything(2, AFTER[3])
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(each.isfinite().all() for each in (*found[0], *found[1]))


@pytest.mark.parametrize("after", AFTER, ids=str)
def test_what_is_not_a_number_stays_so_and_in_its_view(after):
    x, weight, bias, _ = drawn((3, 130, 32, 32, 8))
    x[1, 60] = torch.nan
    for found in (compiled.convolved(x, weight, bias, after), compiled.peaks(x, weight, bias)):
        assert found[1].isnan().any(dim=0).all()
        assert found[[0, 2]].isfinite().all()
    signals = compiled.signals_convolved(x[..., 0], weight[:, :1], bias, after, torch.float32)
    assert signals[1].isnan().any()
    assert signals[[0, 2]].isfinite().all()


def test_no_gradient_is_asked_for_that_is_not_needed():
    x, weight, bias, _ = drawn((2, 60, 32, 32, 8))
    compiled.convolved(x, weight.requires_grad_(), bias, compiled.PLAIN).sum().backward()
    assert x.grad is None
    (to_x,) = required(x)
    compiled.convolved(to_x, weight.detach(), bias, compiled.PLAIN).sum().backward()
    assert to_x.grad is not None


def test_maps_without_a_window_are_refused():
    x, weight, bias, _ = drawn((2, 7, 32, 32, 8))
    for call in (
        lambda: compiled.convolved(x, weight, bias, compiled.pooled(SLOPE, 2)),
        lambda: compiled.signals_convolved(x[..., 0], weight[:, :1], bias, compiled.pooled(SLOPE, 2), torch.float32),
        lambda: compiled.finished(x, compiled.pooled(SLOPE, 2)),
    ):
        with pytest.raises(ValueError, match="7 samples hold no window of 8"):
            call()


def test_without_the_processors_own_rounding_it_is_the_same(monkeypatch):
    """As on a processor without AVX512-BF16."""
    x, weight, bias, _ = drawn((3, 130, 32, 32, 8))
    x[1, 60:] = torch.inf
    native = compiled.convolved(x.bfloat16(), weight, bias, AFTER[3])
    monkeypatch.setenv("CC", "cc -U__AVX512BF16__")
    library._loaded.cache_clear()
    try:
        assert compiled.available(torch.bfloat16)
        plain = compiled.convolved(x.bfloat16(), weight, bias, AFTER[3])
    finally:
        library._loaded.cache_clear()
    assert torch.equal(native.isnan(), plain.isnan())
    assert plain.isnan().any()
    assert torch.equal(native.nan_to_num(), plain.nan_to_num())


@pytest.mark.parametrize("path", ["tiled", "tiled32"])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("pooling", ["max", "mean", "max+mean+std"])
def test_an_encoder_computes_the_same_with_and_without(path, norm, pooling, monkeypatch):
    """Features and maps to within rounding, gradients to within what rounding makes of maxima."""
    config = EncoderConfig(pool_stride=3, batch_norm=norm, pooling=pooling, activation="relu")
    windows = torch.randn(4, 400, generator=torch.Generator().manual_seed(1))
    found = {}
    for switch in ("1", "0"):
        monkeypatch.setenv(compiled.VARIABLE, switch)
        encoder = build_encoder(config, torch.Generator().manual_seed(0), path)
        assert encoder._is_compiled(windows) is (switch == "1")
        features = encoder(windows)
        torch.autograd.backward(
            (features * torch.randn(features.shape, generator=torch.Generator().manual_seed(2))).sum()
        )
        gradient = torch.cat([parameter.grad.flatten() for parameter in encoder.parameters()])
        found[switch] = features, encoder.feature_maps(windows), gradient
    close = {"tiled": (0.03, 0.06, 0.5) if norm else (0.01, 0.02, 0.2), "tiled32": (1e-5, 1e-5, 2e-2)}[path]
    for one, other, limit in zip(found["1"], found["0"], close, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < limit * other.norm()


def test_signals_that_want_a_gradient_are_left_to_pytorch():
    encoder = build_encoder(EncoderConfig(), torch.Generator().manual_seed(0), "tiled32")
    windows = torch.randn(2, 300, generator=torch.Generator().manual_seed(1)).requires_grad_()
    encoder(windows).sum().backward()
    assert windows.grad is not None
    assert windows.grad.abs().sum() > 0


def test_other_types_and_devices_are_left_to_pytorch():
    plain = torch.zeros(2, 300)
    assert compiled.takes(plain, plain)
    for other in (plain.double(), plain.to("meta")):
        assert not compiled.takes(plain, other)
        assert not compiled.takes(other, plain)
    encoder = build_encoder(EncoderConfig(), torch.Generator().manual_seed(0), "tiled32").double()
    assert not encoder._is_compiled(plain)


def test_windows_of_one_dimension_too_many_are_refused():
    encoder = build_encoder(EncoderConfig(), torch.Generator().manual_seed(0), "tiled32")
    with pytest.raises(ValueError, match="do not go with weights"):
        encoder(torch.zeros(2, 1, 650))


def test_layers_used_for_inference_can_be_trained_within_the_same_block():
    encoder = build_encoder(EncoderConfig(), torch.Generator().manual_seed(0), "tiled32")
    windows = torch.randn(2, 300, generator=torch.Generator().manual_seed(1))
    with unchanging_weights():
        with torch.inference_mode():
            encoder(windows)
        encoder(windows).sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
