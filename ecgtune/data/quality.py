"""Which windows hold no usable ECG, and why. Judged before normalisation, on signals of any unit and polarity.

    nan       the file has no value somewhere in the window
    flat      one second or more of a constant value: a lead that is off, or padding
    clipped   the signal rests on the recording's highest or lowest value
    no_beats  fewer than 3 beats, or 5 seconds without one
    noisy     beats do not stand out from what is between them, or none looks like another

An arrhythmia is not noise: a beat has to look like one other beat of its window, not like the average beat. In noise
a detector finds peaks too, but they are small, and no two are alike.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.signal import butter, sosfiltfilt

from ecgtune.data.beats import r_peaks

FLAGS = ("nan", "flat", "clipped", "no_beats", "noisy")

_FLAT_SECONDS = 1.0
_FLAT_RANGE = 1e-3  # of the recording's 1 %..99 % range: below what a heart or any amplifier's noise does
_PLATEAU_SECONDS = 0.02  # an R peak does not stay at its top that long
_CLIPPED_SECONDS = 0.1  # per window; a single broad T wave may be the recording's highest value
_FEWEST_BEATS = 3
_LONGEST_PAUSE = 5.0  # seconds
# The QRS complex lies in 5..20 Hz, T waves and wander below, muscle and mains above (as in most QRS detectors).
_QRS_BAND = (5.0, 20.0)
_HISS_ABOVE = 40.0
_AROUND = 0.1  # seconds on each side of an R peak
_MARGIN = 10.0  # seconds, for a detector to learn its threshold
# Measured per window on the real recordings, usable against unusable; see the tests for the recordings.
_LEAST_LIKENESS = 0.9
_LEAST_CONTRAST = 5.5
_MOST_HISS = 0.25


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


def window_flags(
    faults: Mapping[str, NDArray[np.bool_]],
    raw_sfreq: float,
    signal: NDArray[np.floating],
    sfreq: float,
    starts: Sequence[int],
    n_times: int,
) -> list[str]:
    """The quality of each window: empty if good, else its flags joined by `+`.

    Args:
        faults: of the file's samples, see `signal_faults`.
        raw_sfreq: of `faults`, in Hz.
        signal: [n_samples] finite, resampled to `sfreq`, neither high-passed nor normalised.
        sfreq: in Hz.
        starts: the first sample of each window in `signal`.
        n_times: samples per window.
    """
    flags: list[list[str]] = []
    for start in starts:
        first, last = (round(edge / sfreq * raw_sfreq) for edge in (start, start + n_times))
        seen = {name: int(mask[first:last].sum()) for name, mask in faults.items()}
        clipped = seen["clipped"] >= _CLIPPED_SECONDS * raw_sfreq
        flags.append([name for name in ("nan", "flat") if seen[name]] + ["clipped"] * clipped)
    for own, beat_flag in zip(flags, _beat_flags(signal, sfreq, starts, n_times), strict=True):
        if beat_flag:
            own.append(beat_flag)
    return ["+".join(own) for own in flags]


def _beat_flags(signal: NDArray[np.floating], sfreq: float, starts: Sequence[int], n_times: int) -> list[str]:
    qrs, hiss = (sosfiltfilt(sos, signal) for sos in _bands(sfreq))

    def judge(peaks: NDArray[np.intp], start: int) -> str:
        span = slice(start, start + n_times)
        return judge_beats(qrs[span], hiss[span], peaks[(peaks >= start) & (peaks < span.stop)] - start, sfreq)

    peaks = r_peaks(signal, sfreq)
    flags = [judge(peaks, start) for start in starts]
    # The thorough detector is five times slower, so it sees only the stretches where the fast one does not convince.
    doubtful = [number for number, flag in enumerate(flags) if flag]
    margin = round(_MARGIN * sfreq)
    for first, last in _stretches([starts[number] for number in doubtful], n_times, margin, len(signal)):
        peaks = first + r_peaks(signal[first:last], sfreq, "thorough")
        for number in doubtful:
            # The reason stays the fast one's: the thorough one finds beats in silence too.
            if first <= starts[number] < last and not judge(peaks, starts[number]):
                flags[number] = ""
    return flags


def judge_beats(qrs: NDArray[np.floating], hiss: NDArray[np.floating], peaks: NDArray[np.intp], sfreq: float) -> str:
    """Judge one window by the beats that were found in it: ``""``, `no_beats` or `noisy`.

    Args:
        qrs: [n_times] the window in the band of the QRS complex.
        hiss: [n_times] the window above that of the ECG.
        peaks: [n_beats] samples within the window.
        sfreq: in Hz.
    """
    pauses = np.diff(np.concatenate([[0], peaks, [len(qrs)]]))
    if len(peaks) < _FEWEST_BEATS or pauses.max() > _LONGEST_PAUSE * sfreq:
        return "no_beats"
    reach = round(_AROUND * sfreq)
    beats = np.array([qrs[peak - reach : peak + reach] for peak in peaks if reach <= peak <= len(qrs) - reach])
    between = np.ones(len(qrs), dtype=np.bool_)
    for peak in peaks:
        between[max(0, peak - reach) : peak + reach] = False
    if len(beats) < 2 or between.sum() < reach:
        return "noisy"
    height = float(np.median(np.ptp(beats, axis=1)))
    # 1.4826 x the median deviation is the standard deviation of Gaussian noise, but T waves hardly move it.
    contrast = height / max(1.4826 * float(np.median(np.abs(qrs[between]))), np.finfo(float).tiny)
    unlike = np.corrcoef(beats)
    np.fill_diagonal(unlike, -1.0)
    likeness = float(np.median(unlike.max(axis=1)))
    convincing = likeness >= _LEAST_LIKENESS and contrast >= _LEAST_CONTRAST
    return "" if convincing and float(hiss[between].std()) <= _MOST_HISS * height else "noisy"


@cache
def _bands(sfreq: float) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The filters for the band of the QRS complex and for what is above the ECG."""
    return (
        butter(2, _QRS_BAND, "bandpass", fs=sfreq, output="sos"),
        butter(2, _HISS_ABOVE, "highpass", fs=sfreq, output="sos"),
    )


def _stretches(starts: Sequence[int], n_times: int, margin: int, end: int) -> list[tuple[int, int]]:
    """Windows with a margin on each side, merged where they touch, within [0, end)."""
    merged: list[tuple[int, int]] = []
    for start in sorted(starts):
        first, last = max(0, start - margin), min(end, start + n_times + margin)
        if merged and first <= merged[-1][1]:
            first, last = merged.pop()[0], last
        merged.append((first, last))
    return merged


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
