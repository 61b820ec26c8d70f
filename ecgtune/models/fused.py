"""Passes through the encoder, turned by PyTorch's own compiler (Inductor) into as few kernels as it can.

What lies between two convolutions - padding, bias, pooling, activation, casts - becomes one pass over memory there
and one back. On a GPU a pass can also be recorded as a CUDA graph, so that the processor starts it as a whole.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ecgtune.convolution_path import ConvolutionPath
from ecgtune.data.cache import cache_folder
from ecgtune.models.compiled import VARIABLE, is_off

# The paths that are compiled so, with the mode of `torch.compile` for each.
FUSED: dict[ConvolutionPath, str] = {"inductor": "default", "cudagraphs": "reduce-overhead"}
# Architectures times sizes of a batch for which one process keeps code; beyond these a pass is not compiled.
_VARIANTS = 64
_BACKEND: str | Callable[..., Any] = "inductor"


def why_not(device: str) -> str:
    """Why nothing can be compiled for a kind of device, `cpu` or `cuda`; empty if it can be."""
    if is_off():
        return f"{VARIABLE}={os.environ[VARIABLE]}"
    return _missing(device)


def fused(function: Callable[..., Tensor], path: ConvolutionPath) -> Callable[..., Tensor]:
    """What computes the same as a function, compiled when it is first called with tensors of some shape.

    Raises:
        KeyError: the path is none of `FUSED`.
    """
    return _compiled(function, FUSED[path], _BACKEND)


def give_gradients_a_place(module: nn.Module) -> None:
    """Let every weight have a gradient, zero at first, that later ones are added to.

    Otherwise the first gradient that a CUDA graph gives becomes the weight's own, in memory that the graph writes to
    again in its next run: several passes would not add up (https://github.com/pytorch/pytorch/issues/169545).
    """
    for weight in module.parameters():
        if weight.grad is None and weight.requires_grad:
            weight.grad = torch.zeros_like(weight)


@cache
def _compiled(function: Callable[..., Tensor], mode: str, backend: str | Callable[..., Any]) -> Callable[..., Tensor]:
    settings = torch._dynamo.config
    if hasattr(settings, "recompile_limit"):  # older versions of PyTorch call it otherwise; theirs is 8
        settings.recompile_limit = max(settings.recompile_limit, _VARIANTS)
    return torch.compile(function, dynamic=False, backend=backend, mode=mode if backend == "inductor" else None)


def _keep_in_the_cache() -> None:
    """Let PyTorch's compiler keep its code where ours is kept: its own place is gone when the machine starts anew."""
    kept = cache_folder() / "inductor"
    with suppress(OSError):
        kept.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(kept))


@cache
def _missing(device: str) -> str:
    _keep_in_the_cache()  # which PyTorch settles when its compiler is imported
    if device == "cuda":
        from torch.utils._triton import has_triton

        return "" if has_triton() else "PyTorch finds no Triton for this GPU"
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return "PyTorch finds no C++ compiler (CXX names one)"
    return ""
