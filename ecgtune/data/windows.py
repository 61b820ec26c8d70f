"""Cutting a recording into windows."""

import numpy as np
from numpy.typing import NDArray


def window_starts(n_samples: int, n_times: int, step: int) -> list[int]:
    """The first samples of all windows that fit; the rest at the end is left out.

    Args:
        n_samples: of the recording.
        n_times: samples per window.
        step: samples from one start to the next.
    """
    return list(range(0, n_samples - n_times + 1, step))


def cut(signal: NDArray[np.floating], starts: list[int], n_times: int) -> NDArray[np.floating]:
    """Cut every lead at the same instants.

    Args:
        signal: [n_leads, n_samples].
        starts: as `window_starts` gives them.
        n_times: samples per window.

    Returns:
        [n_leads, n_windows, n_times].
    """
    if not starts:
        return np.empty((len(signal), 0, n_times), dtype=signal.dtype)
    return np.stack([signal[:, start : start + n_times] for start in starts], axis=1)
