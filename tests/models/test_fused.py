"""Passes that PyTorch's compiler makes one of: the same numbers, and only where they are worth compiling."""

import copy
import os
import threading
from itertools import product
from pathlib import Path

import pytest
import torch
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.aot_autograd import make_boxed_func
from torch._inductor import cpp_builder
from torch._inductor.exc import InvalidCxxCompiler

from ecgtune.config import EncoderConfig
from ecgtune.errors import EcgtuneError
from ecgtune.models import Encoder, build_encoder, fused


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def forgotten():
    """No test finds what another has compiled."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


class Compiler:
    """Compiles nothing, and counts what it was asked for and how often that ran."""

    def __init__(self):
        self.asked, self.ran = [], 0

    def __call__(self, graph, inputs):
        self.asked.append(next(tuple(each.shape) for each in inputs if each.ndim == 2))

        def run(*given):
            self.ran += 1
            return graph(*given)

        return run


@pytest.fixture
def compiler(monkeypatch):
    made = Compiler()
    monkeypatch.setattr(fused, "_BACKEND", made)
    return made


def trained(encoder, windows, way=Encoder.__call__):
    """What a pass gives, and every gradient of its squares."""
    encoder.fuses = True
    for weight in encoder.parameters():
        weight.grad = None
    out = way(encoder, windows)
    torch.autograd.backward(out.square().mean())
    return [out.detach(), *(weight.grad for weight in encoder.parameters())]


@pytest.mark.parametrize(
    ("pool_stride", "batch_norm", "pooling"), [*product([2, 8], [False, True], ["max"]), (8, False, "max+mean+std")]
)
@pytest.mark.parametrize("way", [Encoder.__call__, Encoder.feature_maps])
def test_a_fused_pass_gives_the_same(pool_stride, batch_norm, pooling, way, compiler, monkeypatch):
    """In double precision, where no rounding can decide which of two samples is the maximum."""
    monkeypatch.setattr("ecgtune.models.encoder.AUTOCAST", ())
    config = EncoderConfig(pool_stride=pool_stride, batch_norm=batch_norm, pooling=pooling)
    windows = torch.randn(3, 300, generator=seeded(1), dtype=torch.float64)
    plain, ours = (build_encoder(config, seeded(0), path).double() for path in ("direct", "inductor"))
    for one, other in zip(trained(plain, windows, way), trained(ours, windows, way), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    assert compiler.ran == 1
    for one, other in zip(plain.buffers(), ours.buffers(), strict=True):
        torch.testing.assert_close(one, other)


def plainly(graph, _inputs):
    return make_boxed_func(graph)


@pytest.mark.parametrize(("path", "batch_norm"), product(fused.FUSED, [False, True]))
def test_a_pass_that_is_traced_gives_the_bits_of_bf16(path, batch_norm, monkeypatch):
    """What is computed is the same, in the same order and types; only a compiler's own rounding may come to it."""
    monkeypatch.setattr(fused, "_BACKEND", aot_autograd(fw_compiler=plainly, bw_compiler=plainly))
    config = EncoderConfig(pool_stride=8, batch_norm=batch_norm)
    windows = torch.randn(4, 300, generator=seeded(1))
    plain, ours = (trained(build_encoder(config, seeded(0), each), windows) for each in ("bf16", path))
    assert all(torch.equal(one, other) for one, other in zip(plain, ours, strict=True))
    assert len(ours) > 10


def test_the_gradient_of_the_peaks_is_taken_from_their_samples_alone(monkeypatch):
    """Which is our way, and not the backward pass of a convolution over the whole map."""
    backward = []
    graphs = aot_autograd(
        fw_compiler=plainly, bw_compiler=lambda graph, _: backward.append(graph.code) or make_boxed_func(graph)
    )
    monkeypatch.setattr(fused, "_BACKEND", graphs)
    trained(build_encoder(EncoderConfig(pool_stride=8), seeded(0), "inductor"), torch.randn(2, 300))
    (code,) = backward
    # Six layers, of which the last has no backward convolution.
    assert (code.count("aten.convolution_backward"), "index_add" in code) == (5, True)


@pytest.mark.slow
@pytest.mark.parametrize("path", fused.FUSED)
def test_what_inductor_makes_of_it_is_bf16_but_for_rounding(path):
    windows = torch.randn(4, 300, generator=seeded(1))
    encoders = {each: build_encoder(EncoderConfig(pool_stride=8), seeded(0), each) for each in ("direct", "bf16", path)}
    found = {each: trained(encoder, windows) for each, encoder in encoders.items()}
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert (found[path][0] - found["direct"][0]).norm() > 1e-4 * found["direct"][0].norm()
    assert (found[path][0] - found["direct"][0]).norm() < 3e-2 * found["direct"][0].norm()
    exact, theirs, ours = (torch.cat([each.flatten() for each in found[name][1:]]) for name in found)
    assert (ours - exact).norm() < 2 * (theirs - exact).norm()


def test_only_passes_of_training_are_fused_where_that_is_wanted(compiler):
    encoder = build_encoder(EncoderConfig(pool_stride=8), seeded(0), "inductor")
    windows = torch.randn(4, 300, generator=seeded(1))
    plain = build_encoder(EncoderConfig(pool_stride=8), seeded(0), "bf16")
    # What is not fused is bf16, to the last bit.
    assert torch.equal(encoder(windows), plain(windows))
    encoder.fuses = True
    with torch.no_grad():
        encoder(windows)
    encoder.eval()(windows)
    encoder.train()
    trained(plain, windows)
    assert compiler.asked == []
    for _ in range(2):
        trained(encoder, windows)
    assert (compiler.asked, compiler.ran) == ([(4, 300)], 2)


def test_encoders_of_one_kind_share_what_is_compiled(compiler):
    windows = torch.randn(4, 300, generator=seeded(1))
    first = build_encoder(EncoderConfig(pool_stride=8), seeded(0), "cudagraphs")
    trained(first, windows)
    other = copy.deepcopy(first)
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(2.0)
    ours = trained(other, windows)[0]
    assert (len(compiler.asked), compiler.ran) == (1, 2)
    plain = build_encoder(EncoderConfig(pool_stride=8), seeded(0), "bf16")
    plain.load_state_dict(other.state_dict())
    torch.testing.assert_close(ours, plain(windows).detach(), rtol=3e-2, atol=1e-3)


def test_more_kinds_than_pytorch_expects_are_compiled(compiler):
    """It gives up after eight unless told otherwise, thread by thread; each trial of a worker has a thread."""
    for length in range(300, 310):
        encoder = build_encoder(EncoderConfig(pool_stride=8), seeded(0), "inductor")
        windows = torch.randn(2, length, generator=seeded(1))
        trial = threading.Thread(target=trained, args=(encoder, windows))
        trial.start()
        trial.join()
    assert (len(compiler.asked), compiler.ran) == (10, 10)


def in_the_same_memory(graph, _inputs):
    """As a CUDA graph does: what comes out lies where it lay the time before."""
    kept = []

    def run(given):
        out = graph(*given)
        given.clear()
        if not kept:
            kept.extend(None if each is None else each.clone() for each in out)
        for place, new in zip(kept, out, strict=True):
            if new is not None:
                place.copy_(new)
        return [None if each is None else each.detach() for each in kept]

    run._boxed_call = True
    return run


@pytest.mark.parametrize("path", fused.FUSED)
def test_gradients_add_up_though_each_pass_gives_them_in_the_same_memory(path, monkeypatch):
    graphs = aot_autograd(fw_compiler=plainly, bw_compiler=in_the_same_memory)
    monkeypatch.setattr(fused, "_BACKEND", graphs)
    ours, plain = (build_encoder(EncoderConfig(pool_stride=8), seeded(0), each) for each in (path, "bf16"))
    for seed in (1, 2, 3):
        windows = torch.randn(4, 300, generator=seeded(seed))
        for encoder in (ours, plain):
            encoder.fuses = True
            torch.autograd.backward(encoder(windows).square().mean())
    for one, other in zip(ours.parameters(), plain.parameters(), strict=True):
        assert (one.grad - other.grad).norm() < 0.1 * other.grad.norm()


def test_weights_that_are_not_trained_get_no_gradient(compiler):
    encoder = build_encoder(EncoderConfig(pool_stride=8), seeded(0), "inductor")
    encoder.fuses = True
    frozen = encoder.layers[0].conv.weight.requires_grad_(False)
    encoder(torch.randn(2, 300, generator=seeded(1))).sum().backward()
    assert compiler.ran == 1
    assert frozen.grad is None


@pytest.mark.parametrize("passes", ["forward", "backward"])
def test_a_compiler_that_fails_is_one_message(passes, monkeypatch):
    """Whichever pass it fails at, told before the backward one is run; in each thread anew."""

    def fails(graph, inputs):
        raise RuntimeError("a long story\nthere is no Python.h")

    compilers = {"fw_compiler": plainly, "bw_compiler": plainly, f"{passes[0]}w_compiler": fails}
    monkeypatch.setattr(fused, "_BACKEND", aot_autograd(**compilers))
    encoder = build_encoder(EncoderConfig(pool_stride=8), seeded(0), "inductor")
    encoder.fuses = True
    found = []

    def train():
        with pytest.raises(EcgtuneError) as caught:
            encoder(torch.randn(2, 300, generator=seeded(1)))
        found.append(str(caught.value))

    trial = threading.Thread(target=train)
    trial.start()
    trial.join()
    (said,) = found
    assert "failed (RuntimeError: there is no Python.h). --convolution bf16" in said


@pytest.mark.parametrize(
    ("path", "device", "asked"),
    [("cudagraphs", "cuda:0", 2), ("cudagraphs", "cpu", 1), ("inductor", "cuda", 1), ("bf16", "cuda", 0)],
)
def test_what_was_recorded_is_forgotten(path, device, asked, compiler, monkeypatch):
    """Code alone is of use to the next run."""
    done = []
    reset = torch._dynamo.reset
    for _ in range(2):
        trained(build_encoder(EncoderConfig(pool_stride=8), seeded(0), path), torch.randn(2, 300, generator=seeded(1)))
        with monkeypatch.context() as watched:
            watched.setattr(torch._dynamo, "reset", lambda: (done.append("reset"), reset()))
            watched.setattr(fused.gc, "collect", lambda: done.append("collect"))
            watched.setattr(torch.cuda, "empty_cache", lambda: done.append("empty"))
            fused.forget(path, device)
    assert len(compiler.asked) == asked
    assert done == ["reset", "collect", "empty"] * 2 * (asked == 2)


def test_who_compiles_an_encoder_gets_a_whole_graph(compiler):
    """Also of one that fuses itself: nothing is compiled within."""
    encoder = build_encoder(EncoderConfig(pool_stride=8, batch_norm=True), seeded(0), "inductor")
    encoder.fuses = True
    windows = torch.randn(2, 300, generator=seeded(1))
    whole = torch.compile(encoder, fullgraph=True, backend=compiler)
    torch.autograd.backward(whole(windows).sum())
    assert (len(compiler.asked), compiler.ran) == (1, 1)
    assert all(weight.grad is not None for weight in encoder.parameters())


@pytest.mark.parametrize(("path", "mode"), [("inductor", "default"), ("cudagraphs", "reduce-overhead")])
def test_each_path_has_its_mode(path, mode, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "compile", lambda function, **how: asked.append(how) or function)
    fused.fused(lambda x: x, path)(1)
    assert [how["mode"] for how in asked] == [mode]
    assert [how["dynamic"] for how in asked] == [False]


@pytest.fixture
def unasked():
    """Nobody has asked yet what can be compiled here."""
    fused._missing.cache_clear()
    yield
    fused._missing.cache_clear()


@pytest.mark.usefixtures("unasked")
def test_where_nothing_can_be_compiled_it_is_bf16_and_told(compiler, monkeypatch):
    def none_found():
        raise InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none_found)
    assert "no C++ compiler" in fused.why_not("inductor", "cpu")
    windows = torch.randn(2, 300, generator=seeded(1))
    encoder, plain = (build_encoder(EncoderConfig(pool_stride=8), seeded(0), path) for path in ("inductor", "bf16"))
    for one, other in zip(trained(encoder, windows), trained(plain, windows), strict=True):
        assert torch.equal(one, other)
    assert compiler.asked == []


@pytest.mark.usefixtures("unasked")
@pytest.mark.parametrize(("found", "said"), [(True, ""), (False, "no Triton")])
def test_a_gpu_needs_triton(found, said, monkeypatch):
    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: found)
    for device in ("cuda", "cuda:0"):
        assert said in fused.why_not("inductor", device)
        assert bool(fused.why_not("inductor", device)) is bool(said)


@pytest.mark.usefixtures("unasked")
@pytest.mark.parametrize(("version", "refused"), [("2.12.1+cu130", True), ("2.13.0", False), ("2.20.0", False)])
def test_graphs_need_a_version_that_records_in_a_trials_thread(version, refused, monkeypatch):
    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: True)
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion(version))
    reason = f"PyTorch {version} is older than 2.13" if refused else ""
    assert fused.why_not("cudagraphs", "cuda:0") == reason
    assert fused.why_not("inductor", "cuda:0") == ""
    # On a CPU there are no graphs.
    assert fused.why_not("cudagraphs", "cpu") == ""


@pytest.mark.usefixtures("unasked")
@pytest.mark.parametrize("given", ["", "7"])
def test_what_is_compiled_is_kept_in_the_cache(given, monkeypatch, tmp_path):
    """For each kind of processor by itself, and by as many processes as there are threads."""
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    kept = []
    for flags, told in (("avx2", ""), ("avx2 avx512f", ""), ("avx2 avx512f", "avx2")):
        monkeypatch.setenv("ATEN_CPU_CAPABILITY", told)
        for name in ("TORCHINDUCTOR_CACHE_DIR", "TORCHINDUCTOR_COMPILE_THREADS"):
            monkeypatch.setenv(name, given)
            if not given:
                monkeypatch.delenv(name)
        monkeypatch.setattr(fused, "processor_flags", lambda flags=flags: flags)
        fused._missing.cache_clear()
        fused.why_not("inductor", "cuda")
        kept.append(os.environ["TORCHINDUCTOR_CACHE_DIR"])
        assert os.environ["TORCHINDUCTOR_COMPILE_THREADS"] == (given or "3")
    if given:
        assert kept == [given] * 3
    else:
        assert len(set(kept)) == 3
        assert {Path(each) for each in kept} == {*(tmp_path / "inductor").iterdir()}
        assert [Path(each).stat().st_mode & 0o077 for each in kept] == [0, 0, 0]


@pytest.mark.usefixtures("unasked")
def test_a_cache_that_cannot_be_written_stops_nobody(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    fused.why_not("inductor", "cuda")
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_compiling_can_be_switched_off(device, monkeypatch):
    monkeypatch.setenv("ECGTUNE_COMPILE", "no")
    assert fused.why_not("inductor", device) == "ECGTUNE_COMPILE=no"


@pytest.mark.parametrize(("device", "for_gpus"), [("cuda:0", False), ("cpu", True)])
def test_a_user_is_told_when_the_compiler_works_and_what_it_is_for(device, for_gpus):
    told = fused.notice("cudagraphs", device)
    assert told.startswith("cudagraphs: PyTorch's compiler works in an encoder's first epoch")
    assert ("meant for GPUs" in told) is for_gpus
