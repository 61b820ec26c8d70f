"""From a file's samples to comparable ones: gaps filled, resampled, high-passed."""

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfiltfilt

from ecgtune.errors import ConfigError

Normalisation: TypeAlias = Literal["person_trimmed", "person", "window", "baseline", "none"]
NORMALISATIONS: tuple[Normalisation, ...] = get_args(Normalisation)
LOWEST_SFREQ = 100.0  # below, neither an R peak nor the quality of a window can be told


@dataclass(frozen=True)
class Preparation:
    """How recordings become windows. The defaults are the published method's (Sarkar & Etemad 2020).

    Args:
        sfreq: of the windows, in Hz, `LOWEST_SFREQ` or more.
        highpass_hz: cut-off of the zero-phase high-pass, from 0 (none) to below half of `sfreq`.
        normalisation: one of `NORMALISATIONS`, see `ecgtune.data.normalisation`.
        n_times: samples per window.
        step: samples from one window's start to the next one's; `n_times` gives windows without overlap.
        leads: the leads to keep, by name; none named keeps all.

    Raises:
        ConfigError: values that cannot be, all of them at once.
    """

    sfreq: float = 256.0
    highpass_hz: float = 0.8
    normalisation: Normalisation = "person_trimmed"
    n_times: int = 2560
    step: int = 2560
    leads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        mistakes = []
        if not (isfinite(self.sfreq) and self.sfreq >= LOWEST_SFREQ):
            mistakes.append(f"the sampling rate is {self.sfreq:g} Hz; it must be {LOWEST_SFREQ:g} Hz or more.")
        elif not 0 <= self.highpass_hz < self.sfreq / 2:
            mistakes.append(
                f"the high-pass is at {self.highpass_hz:g} Hz; "
                f"it must be from 0 (none) to below {self.sfreq / 2:g} Hz, half the sampling rate."
            )
        if self.normalisation not in NORMALISATIONS:
            known = ", ".join(NORMALISATIONS)
            mistakes.append(f"the normalisation is {self.normalisation!r}; it can be one of: {known}.")
        if self.n_times < 1:
            mistakes.append(f"a window has {self.n_times} samples; it must have 1 or more.")
        if self.step < 1:
            mistakes.append(f"the step is {self.step} samples; it must be 1 or more.")
        if mistakes:
            raise ConfigError("preparation", mistakes)


def filled(signal: NDArray[np.floating]) -> NDArray[np.float64]:
    """Draw straight lines across the gaps, so that a filter does not spread them; an empty lead becomes 0.

    Args:
        signal: [n_leads, n_times], NaN or infinite where there is no value.
    """
    out = np.array(signal, dtype=np.float64)
    for lead in out:
        known = np.isfinite(lead)
        if not known.any():
            lead[:] = 0.0
        elif not known.all():
            lead[~known] = np.interp(np.flatnonzero(~known), np.flatnonzero(known), lead[known])
    return out


def resample(signal: NDArray[np.floating], sfreq: float, to: float = 256.0) -> NDArray[np.float64]:
    """Change the sampling rate by a polyphase filter, which delays nothing and keeps out what would alias.

    Args:
        signal: [n_leads, n_times] finite.
        sfreq: of `signal`, in Hz.
        to: in Hz.

    Returns:
        [n_leads, ceil(n_times * to / sfreq)].
    """
    ratio = Fraction(to).limit_denominator(1000) / Fraction(sfreq).limit_denominator(1000)
    if ratio == 1 or not signal.size:
        return np.asarray(signal, dtype=np.float64)
    # A line through the ends is taken off and put back: the filter takes what is outside for 0, and a file's offset
    # would become a step at both ends.
    out: NDArray[np.float64] = resample_poly(
        np.asarray(signal, dtype=np.float64), ratio.numerator, ratio.denominator, axis=-1, padtype="line"
    )
    return out


def high_pass(signal: NDArray[np.floating], sfreq: float, cutoff: float) -> NDArray[np.float64]:
    """Take baseline wander off by a second-order Butterworth filter, run forwards and backwards.

    Args:
        signal: [n_leads, n_times] finite.
        sfreq: in Hz.
        cutoff: in Hz, where the two runs together halve the amplitude; 0 for none.
    """
    if cutoff == 0 or not signal.size:
        return np.asarray(signal, dtype=np.float64)
    sos = butter(2, cutoff, "highpass", fs=sfreq, output="sos")
    # Three periods of the cut-off are mirrored at the ends; SciPy's own choice is a few samples.
    reach = min(signal.shape[-1] - 1, round(3 * sfreq / cutoff))
    out: NDArray[np.float64] = sosfiltfilt(sos, signal, axis=-1, padlen=reach)
    return out
