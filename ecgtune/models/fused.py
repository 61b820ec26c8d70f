"""Passes through the encoder, turned by PyTorch's own compiler (Inductor) into as few kernels as it can.

What lies between two convolutions - padding, bias, pooling, activation, casts - becomes one pass over memory there
and one back. On a GPU a pass can also be recorded as a CUDA graph, so that the processor starts it as a whole. No GPU
has shown yet what either gains.
"""

import gc
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import torch
import torch._functorch.config as _functorch
from torch import Tensor, nn

from ecgtune.convolution_path import ConvolutionPath
from ecgtune.data.cache import cache_folder
from ecgtune.errors import EcgtuneError
from ecgtune.models.compiled import VARIABLE, is_off
from ecgtune.processor import processor_flags

# The paths that are compiled so, with the mode of `torch.compile` for each.
FUSED: dict[ConvolutionPath, str] = {"inductor": "default", "cudagraphs": "reduce-overhead"}
# Architectures times sizes of a batch for which one process keeps code; beyond these a pass is not compiled.
_VARIANTS = 64
# Before, PyTorch could not record CUDA graphs in a thread of Python's, as a trial of a sweep has.
_RECORDS_IN_THREADS = "2.13"
# What makes code for another processor or by another compiler, and is no part of PyTorch's own key.
_SWITCHES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "CXX")
_BACKEND: str | Callable[..., Any] = "inductor"


def why_not(path: ConvolutionPath, device: str) -> str:
    """Why nothing can be fused on a device in that way; empty if it can be.

    Args:
        path: one of `FUSED`.
        device: e.g. `cpu` or `cuda:0`.
    """
    if is_off():
        return f"{VARIABLE}={os.environ[VARIABLE]}"
    kind = torch.device(device).type
    if path == "cudagraphs" and kind == "cuda" and torch.__version__ < _RECORDS_IN_THREADS:
        return f"PyTorch {torch.__version__} is older than {_RECORDS_IN_THREADS}"
    return _missing(kind)


def fused(function: Callable[..., Tensor], path: ConvolutionPath) -> Callable[..., Tensor]:
    """What computes the same as a function, compiled when it is first called with tensors of some shape.

    Raises:
        KeyError: the path is none of `FUSED`.
        EcgtuneError: when it is called: the compiler failed.
    """
    compiled = _compiled(function, FUSED[path], _BACKEND)
    _settle()

    def call(*given: Any) -> Tensor:
        try:
            return compiled(*given)
        except torch._dynamo.exc.BackendCompilerFailed as error:
            last = str(error.inner_exception).strip().splitlines()[-1:]
            raise EcgtuneError(
                f"PyTorch's compiler failed ({type(error.inner_exception).__name__}: {''.join(last)}). "
                "--convolution bf16 computes the same without it."
            ) from error

    return call


def notice(path: ConvolutionPath, device: str) -> str:
    """What a user who has asked for one of `FUSED` has to know before an encoder is trained.

    Args:
        path: one of `FUSED`, that can be fused on the device.
        device: e.g. `cpu` or `cuda:0`.
    """
    told = f"{path}: PyTorch's compiler works in an encoder's first epoch of training, for 10 s to a minute."
    return (
        told
        if torch.device(device).type == "cuda"
        else f"{told} It is meant for GPUs: see `ecgtune bench --convolution {path}`."
    )


def forget(path: ConvolutionPath, device: str) -> None:
    """Free what a run has recorded; to be called at its end, in its thread.

    A CUDA graph is of no use to another run, whose weights lie elsewhere, and holds on to its memory. The code goes
    with it, and is read from the cache again.
    """
    if path == "cudagraphs" and torch.device(device).type == "cuda":
        torch._dynamo.reset()
        gc.collect()
        torch.cuda.empty_cache()


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
    return torch.compile(function, dynamic=False, backend=backend, mode=mode if backend == "inductor" else None)


def _settle() -> None:
    """Set what each thread has to itself; older versions of PyTorch know neither."""
    if getattr(torch._dynamo.config, "recompile_limit", _VARIANTS) < _VARIANTS:
        torch._dynamo.config.recompile_limit = _VARIANTS
    # Otherwise the backward pass is compiled when it is first run, out of our sight.
    if hasattr(_functorch, "force_non_lazy_backward_lowering"):
        _functorch.force_non_lazy_backward_lowering = True


def _prepare() -> None:
    """Settle what PyTorch's compiler takes from the environment when it is imported.

    Its code is kept where ours is, since its own place is gone when the machine starts anew. Each kind of processor has
    a folder, as the code may run on its own kind alone, and so has one that is told to be another kind. It takes as
    many processes as training takes threads.
    """
    switches = [os.environ.get(name, "") for name in _SWITCHES]
    kind = hashlib.sha256("\0".join([processor_flags(), *switches]).encode()).hexdigest()[:16]
    kept = cache_folder() / "inductor" / kind
    with suppress(OSError):
        kept.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(kept))
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", str(torch.get_num_threads()))


@cache
def _missing(kind: str) -> str:
    _prepare()
    if kind == "cuda":
        from torch.utils._triton import has_triton

        return "" if has_triton() else "PyTorch finds no Triton for this GPU"
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return "PyTorch finds no C++ compiler (CXX names one)"
    return ""
