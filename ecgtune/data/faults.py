"""Faults that single samples of a file have: no value, a value that stands still, or one at the limit."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

_FLAT_SECONDS = 1.0
_FLAT_RANGE = 1e-3  # of the recording's 1 %..99 % range: below what a heart or any amplifier's noise does
_PLATEAU_SECONDS = 0.02  # an R peak does not stay at its top that long


def signal_faults(raw: NDArray[np.floating], sfreq: float) -> dict[str, NDArray[np.bool_]]:
    """Faults that single samples have, as the file gives them (before resampling and filters).

    Args:
        raw: [n_times], NaN or infinite where the file has no value.
        sfreq: in Hz.

    Returns:
        `nan`, `flat` and `clipped`, each [n_times].
    """
    missing = ~np.isfinite(raw)
    known = raw[~missing]
    if not len(known):
        nothing = np.zeros(len(raw), dtype=np.bool_)
        return {"nan": missing, "flat": nothing, "clipped": nothing}
    filled = np.where(missing, known[0], raw)
    low, high = np.quantile(known, [0.01, 0.99])
    size = max(2, round(_FLAT_SECONDS * sfreq))
    steady = _range_within(filled, size) <= _FLAT_RANGE * (high - low)
    at_limit = (filled == known.min()) | (filled == known.max())
    plateau = _runs(at_limit, max(3, round(_PLATEAU_SECONDS * sfreq)))
    flat = _dilated(steady, size) & ~missing
    return {"nan": missing, "flat": flat, "clipped": plateau & ~missing & ~flat}


def _range_within(signal: NDArray[np.floating], size: int) -> NDArray[np.floating]:
    """Highest minus lowest value of the `size` samples around each sample."""
    span: NDArray[np.floating] = maximum_filter1d(signal, size) - minimum_filter1d(signal, size)
    return span


def _dilated(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Every sample within the stretch of `size` samples around a marked one."""
    wider: NDArray[np.bool_] = maximum_filter1d(mask.astype(np.uint8), size, origin=-1 if size % 2 == 0 else 0) > 0
    return wider


def _runs(mask: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    """The marked samples that are in an unbroken run of at least `shortest`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    out = np.zeros(len(mask), dtype=np.bool_)
    for first, last in edges.reshape(-1, 2):
        if last - first >= shortest:
            out[first:last] = True
    return out
