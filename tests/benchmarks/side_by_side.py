"""Epochs in one process with several threads, or in several processes at once with fewer, as trials of a sweep run."""

import functools
import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor

import torch
from common import matmul_peak

from ecgtune.training.path import has_bf16_units

_BARRIER = None


class SideBySide:
    """Worker processes that begin together, as a context.

    Args:
        shapes: (processes at once, threads of each), all that will be asked for.
    """

    def __init__(self, shapes):
        self.shapes = shapes
        most = max(processes for processes, _ in shapes)
        context = multiprocessing.get_context("spawn")
        self._barriers = {n: context.Barrier(n) for n in range(2, most + 1)}
        self._pool = ProcessPoolExecutor(most, context, _take_barriers, (self._barriers,))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._pool.shutdown(cancel_futures=True)

    def epochs(self, shape, make, given):
        """Call `make(*given).epoch()` in every process of the shape, and give what each returns.

        A process makes it once and keeps it. `given` must be hashable.
        """
        return self._all(_epoch, shape, make, given)

    def peak(self):
        """The machine's fastest matrix product in GFLOP/s, over the shapes and number types."""
        return max(sum(self._all(_peak, shape)) for shape in self.shapes)

    def _all(self, call, shape, *given):
        futures = [self._pool.submit(call, *shape, *given) for _ in range(shape[0])]
        # One that fails breaks the barrier of the others: its reason is the one to tell.
        failed = [error for error in (future.exception() for future in futures) if error is not None]
        for error in sorted(failed, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
            raise error
        return [future.result() for future in futures]


def _take_barriers(barriers):
    # A pool can hand barriers to its workers in no other way.
    global _BARRIER
    _BARRIER = barriers


def _epoch(processes, threads, make, given):
    torch.set_num_threads(threads)
    try:
        training = _kept(make, given)
    except BaseException:
        # Or the others would wait for this one.
        if processes > 1:
            _BARRIER[processes].abort()
        raise
    _together(processes)
    return training.epoch()


def _peak(processes, threads):
    types = (torch.float32, torch.bfloat16) if has_bf16_units() else (torch.float32,)
    _together(processes)
    return max(matmul_peak(dtype, threads) for dtype in types)


@functools.cache
def _kept(make, given):
    return make(*given)


def _together(processes):
    if processes > 1:
        _BARRIER[processes].wait()
