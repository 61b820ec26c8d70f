"""Heart rate and its variability in each window: the features a network has to beat."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.beats import r_peaks
from ecgtune.data.pool import WindowPool
from ecgtune.files import replaced

FEATURES = ("heart_rate", "log_sdnn", "log_rmssd")
# Part of the cache's file name: to be raised when the features of a window change.
_VERSION = 1
_FEWEST_INTERVALS = 3
_RR_SECONDS = (0.25, 2.5)  # 24 to 240 beats a minute
_FROM_MEDIAN = 0.3  # intervals further off than this share of the median are missed or false beats, or ectopic
_CHUNK = 256


def beat_features(window: NDArray[np.floating], sfreq: float) -> NDArray[np.float64]:
    """Rate and variability of one window.

    Args:
        window: [n_times].
        sfreq: in Hz.

    Returns:
        [3] heart rate in beats per minute, from the median RR interval; logarithms of the standard deviation of the
        RR intervals and of the root mean square of their successive differences, both in ms (Task Force of the ESC
        and NASPE, 1996). NaN where fewer than three plausible intervals are found. Ten seconds are too short for
        more of the variability than these.
    """
    undefined = np.full(len(FEATURES), np.nan)
    if not np.isfinite(window).all():
        return undefined
    intervals = np.diff(r_peaks(window.astype(np.float64), sfreq, "thorough")) / sfreq
    intervals = intervals[(intervals >= _RR_SECONDS[0]) & (intervals <= _RR_SECONDS[1])]
    if len(intervals) < _FEWEST_INTERVALS:
        return undefined
    median = np.median(intervals)
    regular = 1000 * intervals[np.abs(intervals - median) <= _FROM_MEDIAN * median]
    if len(regular) < _FEWEST_INTERVALS:
        return undefined
    # A sample's length is the least that a variability can be told from none.
    floor = 1000 / sfreq
    sdnn = max(float(regular.std(ddof=1)), floor)
    rmssd = max(float(np.sqrt(np.mean(np.diff(regular) ** 2))), floor)
    return np.array([60 / median, np.log(sdnn), np.log(rmssd)])


def heart_rate_features(
    pool: WindowPool, sfreq: float, cache: Path, progress: Callable[[int], None] = lambda _done: None
) -> NDArray[np.float64]:
    """The features of every window of a pool, computed once for a data set and kept in a file.

    Args:
        pool: the windows.
        sfreq: in Hz.
        cache: the folder for the file, which is named after the pool's fingerprint.
        progress: is told how many windows are done.

    Returns:
        [n_windows, 3] as `FEATURES`.

    Raises:
        StorageError: the disk refused the file.
    """
    file = cache / f"heart-rate-{_VERSION}-{pool.fingerprint[:32]}.npy"
    known = _read(file, len(pool))
    if known is not None:
        return known
    features = np.empty((len(pool), len(FEATURES)))
    for start in range(0, len(pool), _CHUNK):
        index = np.arange(start, min(start + _CHUNK, len(pool)))
        features[index] = [beat_features(window, sfreq) for window in pool.take(index)]
        progress(int(index[-1]) + 1)
    with replaced(file) as temporary, temporary.open("wb") as opened:
        np.save(opened, features)
    return features


def _read(file: Path, n_windows: int) -> NDArray[np.float64] | None:
    """A cached file, or None where there is none that is whole: it costs a minute, so it is made again."""
    try:
        features = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = features.shape == (n_windows, len(FEATURES)) and features.dtype == np.float64
    return features if whole else None
