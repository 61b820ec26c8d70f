"""RR intervals with the two peaks of a resting heart's spectrum: slow waves near 0.1 Hz, and breathing.

After McSharry et al. 2003 (IEEE TBME 50:289). There the fast peak is a Gaussian near 0.25 Hz; here it follows the
breathing itself, so that the same breath that speeds the heart also moves the baseline and the R wave.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SFREQ = 4.0
_SHORTEST, _LONGEST = 0.35, 1.8
# Slow waves are drawn over this time at least: a shorter one could not hold a narrow peak in its spectrum.
_SECONDS = 300.0


@dataclass(frozen=True)
class Rhythm:
    """How a heart beats during one recording.

    Args:
        rate: mean heart rate, beats per minute.
        slow: standard deviation of the RR intervals' waves near 0.1 Hz and below, in s.
        breathing_sd: standard deviation that breathing adds (respiratory sinus arrhythmia), in s.
        breathing: breaths per second, in Hz.
    """

    rate: float
    slow: float
    breathing_sd: float
    breathing: float


def tachogram(
    n_times: int, sfreq: float, rhythm: Rhythm, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Momentary RR intervals and breathing. What is drawn does not depend on `rhythm`.

    Returns:
        RR in s [n_times], between 0.35 and 1.8; and respiration [n_times], about -1 to 1.
    """
    seconds = n_times / sfreq
    n_slow = int(np.ceil(max(seconds, _SECONDS) * _SFREQ)) + 2
    times = np.arange(n_slow) / _SFREQ
    mayer = narrow_noise(n_slow, _SFREQ, 0.1, 0.015, rng)
    drift = narrow_noise(n_slow, _SFREQ, 0.0, 0.02, rng)
    pace = narrow_noise(n_slow, _SFREQ, 0.0, 0.03, rng)
    depth = narrow_noise(n_slow, _SFREQ, 0.0, 0.03, rng)
    phase = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.cumsum(rhythm.breathing * np.exp(0.08 * pace)) / _SFREQ
    respiration = np.exp(0.15 * depth) * np.sin(phase)
    rr = 60.0 / rhythm.rate + rhythm.slow * (0.8 * mayer + 0.6 * drift) + rhythm.breathing_sd * np.sqrt(2) * respiration
    at = np.arange(n_times) / sfreq
    return np.interp(at, times, np.clip(rr, _SHORTEST, _LONGEST)), np.interp(at, times, respiration)


def narrow_noise(
    n_times: int, sfreq: float, centre: float, width: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Gaussian noise [n_times] of unit variance whose spectrum is a Gaussian; frequencies in Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(n_times))
    frequencies = np.fft.rfftfreq(n_times, 1 / sfreq)
    spectrum *= np.exp(-0.25 * ((frequencies - centre) / width) ** 2)
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, n_times)
    return noise / max(float(noise.std()), 1e-12)
