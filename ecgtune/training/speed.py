"""How fast this machine trains, for `ecgtune bench`: the training step itself, on windows of noise."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ecgtune.config import EncoderConfig, PretextConfig
from ecgtune.convolution_path import ConvolutionPath
from ecgtune.models import build_encoder
from ecgtune.models.encoder import BLOCKS
from ecgtune.models.fused import forget
from ecgtune.models.window_max import SIZE as POOL_SIZE
from ecgtune.pretext import PRETEXT_TASKS
from ecgtune.training.memory import keep_freed_memory
from ecgtune.training.optimiser import build_optimizer
from ecgtune.training.pretrain import MICRO_BATCH

N_TIMES = 2560
# A training step costs as much as three forward passes: itself, and the gradients by signal and by weights.
PASSES = 3
# The first compiles, and the second records where there is something to record.
FIRST_STEPS = 3
_MATMUL_SIZES = {"cpu": (512, 1024, 2048), "cuda": (4096, 8192)}


@dataclass(frozen=True)
class StepSpeed:
    """What was measured.

    Args:
        views_per_second: of views, forward, backward and optimiser together.
        gflops: billions of operations per second, counted as if every convolution were computed directly.
        share_of_views: what part of the time making the views took, in [0, 1].
        start_s: seconds that the first steps took beyond what steps take: to compile and record what is.
    """

    views_per_second: float
    gflops: float
    share_of_views: float
    start_s: float


def forward_flops(pool_stride: int, n_times: int = N_TIMES) -> int:
    """Operations of the encoder's convolutions for one view, two per multiply-add."""
    total, n_in = 0, 1
    for number, (n_out, kernel) in enumerate(BLOCKS):
        if number:
            n_times = (n_times - POOL_SIZE) // pool_stride + 1
        total += 2 * n_times * kernel * n_out * (n_in + n_out)
        n_in = n_out
    return total


def step_speed(pool_stride: int, path: ConvolutionPath, *, device: str, threads: int, seconds: float) -> StepSpeed:
    """Measure training steps of the published method, in micro-batches as training takes them; the fastest counts.

    Args:
        pool_stride: of the encoder.
        path: how convolutions are computed.
        device: `cpu` or `cuda`.
        threads: of PyTorch on the CPU.
        seconds: to spend, beyond the first steps, which are not counted.
    """
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        step = Step(pool_stride, path, device)
        first = sum(whole for _, whole in (step() for _ in range(FIRST_STEPS)))
        views, whole = float("inf"), float("inf")
        until = time.perf_counter() + seconds
        while views == float("inf") or time.perf_counter() < until:
            making, all_of_it = step()
            views, whole = min(views, making), min(whole, all_of_it)
    finally:
        torch.set_num_threads(before)
        forget(path, device)
    rate, start = step.n_views / whole, max(first - FIRST_STEPS * whole, 0.0)
    return StepSpeed(rate, PASSES * forward_flops(pool_stride) * rate / 1e9, views / whole, start)


class Step:
    """One micro-batch of windows of noise through everything that training does to it.

    Args:
        pool_stride: of the encoder.
        path: how convolutions are computed.
        device: `cpu` or `cuda`.
    """

    def __init__(self, pool_stride: int, path: ConvolutionPath, device: str) -> None:
        config = PretextConfig(encoder=EncoderConfig(pool_stride=pool_stride))
        weights = torch.Generator().manual_seed(0)
        n_windows = MICRO_BATCH[path][torch.device(device).type]
        self._task = PRETEXT_TASKS[config.task](config)
        self._encoder = build_encoder(config.encoder, weights, path)
        self._encoder.fuses = True
        self._heads = self._task.build_heads(self._encoder, weights).to(device)
        self._encoder.to(device)
        self._optimizer = build_optimizer(config, ([*self._encoder.parameters(), *self._heads.parameters()], 1.0))
        self._windows = torch.randn(n_windows, N_TIMES, generator=weights).to(device)
        self._generator = torch.Generator(device).manual_seed(0)
        self._done: Callable[[], None] = (
            torch.cuda.synchronize if torch.device(device).type == "cuda" else (lambda: None)
        )
        self.n_views = len(self._task.classes) * n_windows

    def __call__(self) -> tuple[float, float]:
        """Seconds of making the views, and of the whole step."""
        start = time.perf_counter()
        views = self._task.views(self._windows, self._generator)
        self._done()
        made = time.perf_counter()
        self._optimizer.zero_grad()
        out = self._task.step(self._encoder, self._heads, views)
        torch.autograd.backward(out.loss + out.penalty)
        self._optimizer.step()
        self._done()
        return made - start, time.perf_counter() - start


def matmul_peak(dtype: torch.dtype, *, device: str, threads: int, seconds: float = 0.3) -> float:
    """GFLOP/s of PyTorch's fastest product of two square matrices, counting 2 n^3; the best of a few sizes.

    Args:
        dtype: of the matrices.
        device: `cpu` or `cuda`.
        threads: of PyTorch on the CPU.
        seconds: per size.
    """
    kind = torch.device(device).type
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        best = 0.0
        for size in _MATMUL_SIZES[kind]:
            # Where a type is emulated, a large product would take minutes.
            if not best or 2e-9 * size**3 / best < 2.0:
                best = max(best, _matmul_rate(size, dtype, device, seconds))
        return best
    finally:
        torch.set_num_threads(before)


def _matmul_rate(size: int, dtype: torch.dtype, device: str, seconds: float) -> float:
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    product = torch.empty_like(left)
    best, repeats, until = float("inf"), 0, time.perf_counter() + seconds
    while repeats < 3 or time.perf_counter() < until:
        start = time.perf_counter()
        torch.mm(left, right, out=product)
        if left.is_cuda:
            torch.cuda.synchronize()
        best, repeats = min(best, time.perf_counter() - start), repeats + 1
    return 2 * size**3 / best / 1e9
