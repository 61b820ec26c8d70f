"""Whether the beats that are found in a window are beats.

In noise a detector finds peaks too, but they are small, and no two are alike. An arrhythmia is not noise: a beat has
to look like one other beat of its window, not like the average beat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ecgtune.data.beats import r_peaks
from ecgtune.data.preprocessing import high_pass

_FEWEST_BEATS = 3
_LONGEST_PAUSE = 5.0  # seconds
_AROUND = 0.1  # seconds on each side of an R peak
_MARGIN = 10.0  # seconds, for a detector to learn its threshold
_WANDER_BELOW = 0.8  # Hz
# The QRS complex lies in 5..20 Hz, T waves and wander below, muscle and mains above (as in most QRS detectors).
_QRS_BAND = (5.0, 20.0)
_HISS_ABOVE = 40.0
# Set between what was measured on 42 windows without ECG and on 9,200 with it, from two data sets.
_LEAST_LIKENESS = 0.9
_LEAST_CONTRAST = 5.5
_MOST_HISS = 0.25
_MOST_DWARFING = 6.0  # ventricular beats reach 5.8 times the height of the normal ones, electrodes that move 8 to 15


@dataclass(frozen=True)
class Bands:
    """A signal [n_times] in three bands.

    Args:
        ecg: without baseline wander.
        qrs: the band of the QRS complex.
        hiss: what is above the ECG: muscle and mains.
    """

    ecg: NDArray[np.floating]
    qrs: NDArray[np.floating]
    hiss: NDArray[np.floating]

    def window(self, start: int, n_times: int) -> "Bands":
        """The bands of one window."""
        span = slice(start, start + n_times)
        return Bands(self.ecg[span], self.qrs[span], self.hiss[span])


def split_bands(signal: NDArray[np.floating], sfreq: float) -> Bands:
    """Filter a whole recording [n_times], finite, at `sfreq` Hz."""
    qrs, hiss = (sosfiltfilt(sos, signal) for sos in _filters(sfreq))
    return Bands(high_pass(signal[np.newaxis], sfreq, _WANDER_BELOW)[0], qrs, hiss)


def beat_flags(signal: NDArray[np.floating], sfreq: float, starts: Sequence[int], n_times: int) -> list[str]:
    """`no_beats`, `noisy` or nothing for each window.

    Args:
        signal: [n_samples] finite, neither high-passed nor normalised.
        sfreq: in Hz.
        starts: the first sample of each window.
        n_times: samples per window.
    """
    bands = split_bands(signal, sfreq)

    def judge(peaks: NDArray[np.intp], start: int) -> str:
        inside = peaks[(peaks >= start) & (peaks < start + n_times)] - start
        return judge_beats(bands.window(start, n_times), inside, sfreq)

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


def judge_beats(bands: Bands, peaks: NDArray[np.intp], sfreq: float) -> str:
    """Judge one window by the beats that were found in it: ``""``, `no_beats` or `noisy`.

    Args:
        bands: of the window.
        peaks: [n_beats] samples within the window.
        sfreq: in Hz.
    """
    n_times = len(bands.qrs)
    pauses = np.diff(np.concatenate([[0], peaks, [n_times]]))
    if len(peaks) < _FEWEST_BEATS or pauses.max() > _LONGEST_PAUSE * sfreq:
        return "no_beats"
    reach = round(_AROUND * sfreq)
    around = [slice(peak - reach, peak + reach) for peak in peaks if reach <= peak <= n_times - reach]
    between = np.ones(n_times, dtype=np.bool_)
    for peak in peaks:
        between[max(0, peak - reach) : peak + reach] = False
    if len(around) < 2 or between.sum() < reach:
        return "noisy"
    beats = np.array([bands.qrs[span] for span in around])
    height = float(np.median(np.ptp(beats, axis=1)))
    # 1.4826 x the median deviation is the standard deviation of Gaussian noise, but T waves hardly move it.
    background = 1.4826 * float(np.median(np.abs(bands.qrs[between])))
    usable = (
        height >= _LEAST_CONTRAST * background
        and float(bands.hiss[between].std()) <= _MOST_HISS * height
        and float(np.ptp(bands.ecg)) <= _MOST_DWARFING * float(np.median([np.ptp(bands.ecg[span]) for span in around]))
        and _likeness(beats) >= _LEAST_LIKENESS
    )
    return "" if usable else "noisy"


def _likeness(beats: NDArray[np.floating]) -> float:
    """How well beats [n_beats, n_times] correlate with the one each is most like; the median over the beats."""
    with np.errstate(invalid="ignore", divide="ignore"):  # a constant beat has no correlation: NaN, which is unlike
        alike = np.corrcoef(beats)
    np.fill_diagonal(alike, -1.0)
    return float(np.median(alike.max(axis=1)))


@cache
def _filters(sfreq: float) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
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
