"""The ways to compute convolutions, by name, and which the user asks for; see `ecgtune.models.convolution`."""

import os
from typing import Literal, TypeAlias, get_args

from ecgtune.errors import InputError

ConvolutionPath: TypeAlias = Literal["direct", "fourier", "bf16", "tiled", "tiled32", "inductor", "cudagraphs"]
PATHS: tuple[ConvolutionPath, ...] = get_args(ConvolutionPath)
# The environment variable that says how convolutions are computed, where no option does.
VARIABLE = "ECGTUNE_CONVOLUTION"
_AUTO = "auto"


def wanted_path(option: str | None) -> ConvolutionPath | None:
    """The way that the user asks for, or None for the fastest.

    Args:
        option: a way's name or `auto`; None asks the variable ECGTUNE_CONVOLUTION, without which it is `auto`.

    Raises:
        InputError: there is no such way.
    """
    origin = VARIABLE if option is None else "--convolution"
    wanted = (os.environ.get(VARIABLE) or _AUTO) if option is None else option
    for path in PATHS:
        if wanted == path:
            return path
    if wanted != _AUTO:
        allowed = ", ".join((_AUTO, *PATHS))
        raise InputError(f"{origin}: there is no convolution path {wanted!r}. Choose one of {allowed}.")
    return None
