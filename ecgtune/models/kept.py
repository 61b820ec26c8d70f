"""Kernels in another form, made once while the weights do not change."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor


class _Kept(NamedTuple):
    """A kernel in another form. Holding the weights keeps their place in memory from being given to others."""

    weight: Tensor
    version: int
    form: Tensor


# By where the weights lie, their shape, and what was made of them; every thread has its own.
_kept: ContextVar[dict[tuple[object, ...], _Kept] | None] = ContextVar("kept kernels", default=None)


@contextmanager
def unchanging_weights() -> Iterator[None]:
    """Within the block a kernel is transformed once and not every time; one that does change is transformed again."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def transformed(weight: Tensor, make: Callable[..., Tensor], *how: object) -> Tensor:
    """What `make(weight, *how)` gives; within `unchanging_weights` it may have been made before."""
    kept = _kept.get()
    if kept is None or weight.is_inference():  # such weights do not tell whether they have changed
        return make(weight, *how)
    # A form that was made in inference mode cannot be used for training.
    inference = torch.is_inference_mode_enabled()
    key = weight.data_ptr(), weight.shape, weight.stride(), weight.dtype, inference, make, *how
    found = kept.get(key)
    if found is None or found.version != weight._version:
        found = kept[key] = _Kept(weight, weight._version, make(weight, *how))
    return found.form
