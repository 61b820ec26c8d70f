"""Measuring speed: that what is counted is right, not how fast it is."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from ecgtune.config import EncoderConfig
from ecgtune.convolution_path import PATHS
from ecgtune.models import build_encoder
from ecgtune.models.convolution import BFLOAT16
from ecgtune.models.fused import FUSED
from ecgtune.training import speed as speed_module
from ecgtune.training.memory import keep_freed_memory
from ecgtune.training.speed import forward_flops, matmul_peak, step_speed


@pytest.mark.parametrize(("pool_stride", "known"), [(2, 674e6), (8, 252e6)])
def test_operations_are_counted_as_the_convolutions_make_them(pool_stride, known, monkeypatch):
    counted = []
    convolve = F.conv2d

    def count(x, weight, bias):
        out = convolve(x, weight, bias)
        counted.append(2 * out[0].numel() * weight[0].numel())
        return out

    monkeypatch.setattr(F, "conv2d", count)
    build_encoder(EncoderConfig(pool_stride=pool_stride), torch.Generator())(torch.zeros(1, 2560))
    assert forward_flops(pool_stride) == sum(counted) == pytest.approx(known, rel=0.01)


@pytest.mark.parametrize("path", [path for path in PATHS if path not in BFLOAT16])
def test_a_whole_step_is_measured_and_the_threads_are_left_as_they_were(path, monkeypatch):
    done = []
    backward, step = torch.autograd.backward, speed_module.build_optimizer
    monkeypatch.setattr(torch.autograd, "backward", lambda loss: (backward(loss), done.append("backward")))

    def build(*given):
        optimizer = step(*given)
        move = optimizer.step
        optimizer.step = lambda: (move(), done.append("step"))
        return optimizer

    monkeypatch.setattr(speed_module, "build_optimizer", build)
    threads = torch.get_num_threads()
    speed = step_speed(8, path, device="cpu", threads=1, seconds=0.0)
    assert torch.get_num_threads() == threads
    assert done[:2] == ["backward", "step"]
    assert speed.gflops == pytest.approx(3 * forward_flops(8) * speed.views_per_second / 1e9)
    assert 0 < speed.share_of_views < 1
    assert speed.start_s >= 0


@pytest.mark.parametrize("path", FUSED)
def test_the_steps_of_a_fused_way_are_fused(path, fused_sizes, monkeypatch):
    monkeypatch.setattr(speed_module, "N_TIMES", 300)
    step_speed(8, path, device="cpu", threads=1, seconds=0.0)
    assert fused_sizes == [7 * 4] * 4


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_recorded_is_forgotten_before_the_next_is_measured(fails, monkeypatch):
    forgotten = []
    monkeypatch.setattr(speed_module, "forget", lambda *given: forgotten.append(given))
    monkeypatch.setattr(speed_module, "N_TIMES", 300)
    if fails:
        monkeypatch.setattr(speed_module.Step, "__call__", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        step_speed(8, "direct", device="cpu", threads=1, seconds=0.0)
    assert forgotten == [("direct", "cpu")]


def test_the_start_is_what_the_first_steps_take_beyond_others(monkeypatch):
    seconds = iter([9.0, 4.0, 1.5, 1.0, 1.0])
    whole = iter([0.0, 1e9])

    class Step:
        n_views = 10

        def __init__(self, *given):
            pass

        def __call__(self):
            return 0.1, next(seconds)

    monkeypatch.setattr(speed_module, "Step", Step)
    monkeypatch.setattr(speed_module.time, "perf_counter", lambda: next(whole))
    speed = step_speed(8, "direct", device="cpu", threads=1, seconds=1.0)
    assert (speed.start_s, speed.views_per_second) == (14.5 - 3 * 1.0, 10.0)


def test_the_peak_is_a_rate():
    threads = torch.get_num_threads()
    assert matmul_peak(torch.float32, device="cpu", threads=1, seconds=0.0) > 0
    assert torch.get_num_threads() == threads


def test_freed_memory_is_kept_where_the_c_library_can(monkeypatch):
    asked = []
    library = SimpleNamespace(mallopt=lambda what, value: asked.append((what, value)) or 1)
    monkeypatch.setattr("ctypes.CDLL", lambda name: library)
    for name, expected in (("", False), ("glibc", True)):
        keep_freed_memory.cache_clear()
        monkeypatch.setattr("platform.libc_ver", lambda name=name: (name, "2.36"))
        assert keep_freed_memory() is expected
        assert bool(asked) is expected
    # No block of its own from the system, and none given back: the numbers are those of malloc.h.
    assert {what: value > 0 for what, value in asked} == {-4: False, -1: True, -2: True}
    keep_freed_memory.cache_clear()
