"""Layers of the encoder whose pieces between matrix products are compiled for this machine, where it has a compiler."""

from ecgtune.models.compiled.calls import PLAIN, After, activated, pooled
from ecgtune.models.compiled.layers import convolved, finished, peaks, signals_convolved, takes
from ecgtune.models.compiled.library import VARIABLE, available, has_threads, is_off, why_not

__all__ = [
    "PLAIN",
    "VARIABLE",
    "After",
    "activated",
    "available",
    "convolved",
    "finished",
    "has_threads",
    "is_off",
    "peaks",
    "pooled",
    "signals_convolved",
    "takes",
    "why_not",
]
