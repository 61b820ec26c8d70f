"""Which way of computing convolutions is the fastest here: measured in about a second, once per machine."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from ecgtune.config import EncoderConfig
from ecgtune.convolution_path import ConvolutionPath, wanted_path
from ecgtune.data.cache import cache_folder
from ecgtune.models import Encoder, build_encoder, compiled, fused
from ecgtune.models.convolution import TILED
from ecgtune.processor import processor_name
from ecgtune.training import path_cache

# Windows of the shape that training sees would take too long to measure; a quarter of their length shows the same.
_VIEWS, _TIMES = 28, 640
_TURNS = 3
_SECONDS = 1.0


def choose_path(wanted: str | None, device: str, *, cache: Path | None = None) -> ConvolutionPath:
    """The path to use: the one that is wanted or, for `auto`, the fastest.

    On a GPU that is bf16 where it can, direct where not: what PyTorch's compiler makes of it has to be asked for, since
    each worker compiles for a while before it gains anything. On a CPU it is measured, and kept in the cache folder.

    Args:
        wanted: as for `ecgtune.convolution_path.wanted_path`.
        device: `cpu` or `cuda`.
        cache: where the measurement is kept; None means `cache_folder()`.

    Raises:
        InputError: there is no such path.
    """
    path = wanted_path(wanted)
    if path is not None:
        return path
    if torch.device(device).type == "cuda":
        return "bf16" if _gpu_has_bf16() else "direct"
    speeds = measured(cache or cache_folder())
    return max(speeds, key=lambda path: speeds[path])


def measured(cache: Path) -> dict[ConvolutionPath, float]:
    """Views per second of one thread, for each path that makes sense on this CPU; from the cache, if it is there."""
    machine, known = machine_key(), path_cache.read(cache)
    try:
        return {path: float(known[machine][path]) for path in candidates()}
    except (ValueError, KeyError, TypeError):
        speeds = probe(candidates())
    path_cache.keep(cache, {**known, machine: speeds})
    return speeds


def candidates(device: str = "cpu") -> tuple[ConvolutionPath, ...]:
    """The paths worth a measurement: bfloat16 without units for it is a hundred times slower than float32."""
    if torch.device(device).type == "cuda":
        if not _gpu_has_bf16():
            return ("direct",)
        return ("direct", "bf16", *(path for path in fused.FUSED if not fused.why_not(path, device)))
    if has_bf16_units():
        return ("direct", "fourier", "bf16", "tiled")
    # Tiles in float32 are the faster for being compiled, and slower otherwise.
    return ("direct", "fourier", "tiled32") if compiled.available(TILED["tiled32"]) else ("direct", "fourier")


def _gpu_has_bf16() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def compiled_without_threads() -> bool:
    """Whether layers in tiles are compiled, but use one thread whatever is asked for."""
    return not not_compiled() and not compiled.has_threads(_type_of_tiles())


def not_compiled() -> str:
    """Why layers in tiles are not compiled for this CPU, of the type that suits it; empty if they are."""
    return compiled.why_not(_type_of_tiles())


def _type_of_tiles() -> torch.dtype:
    return TILED["tiled" if has_bf16_units() else "tiled32"]


def has_bf16_units() -> bool:
    """Whether this CPU multiplies matrices of bfloat16 in hardware: AMX or AVX512-BF16."""
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def machine_key() -> str:
    """What the measurement depends on: the processor, PyTorch, what is compiled, and what is measured."""
    layers = "no layers" if not_compiled() else "layers"
    return path_cache.key(f"{layers} compiled | {_VIEWS} x {_TIMES}")


def processor() -> str:
    """The processor's name, with the vector instructions that PyTorch uses on it."""
    matrices = " AMX" if torch.cpu._is_amx_tile_supported() else " BF16" if has_bf16_units() else ""
    return f"{processor_name()} {torch.backends.cpu.get_cpu_capability()}{matrices}"


def probe(paths: Sequence[ConvolutionPath]) -> dict[ConvolutionPath, float]:
    """Views per second of one thread, forward and backward, through the published encoder.

    The paths take turns, so that what else the machine does meets them all; the fastest turn of each counts.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        generator = torch.Generator().manual_seed(0)
        views = torch.randn(_VIEWS, _TIMES, generator=generator)
        steps = {path: partial(_step, build_encoder(EncoderConfig(), generator, path), views) for path in paths}
        best = dict.fromkeys(paths, float("inf"))
        until = time.perf_counter() + _SECONDS
        for turn in range(_TURNS + 1):
            for path, step in steps.items():
                start = time.perf_counter()
                step()
                # The first time also makes what later ones reuse.
                best[path] = min(best[path], time.perf_counter() - start) if turn else best[path]
            if turn and time.perf_counter() > until:
                break
        return {path: _VIEWS / seconds for path, seconds in best.items()}
    finally:
        torch.set_num_threads(threads)


def _step(encoder: Encoder, views: torch.Tensor) -> None:
    encoder.zero_grad()
    torch.autograd.backward(encoder(views).square().mean())
