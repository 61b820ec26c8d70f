"""What electrodes pick up besides the heart: baseline wander, mains hum, muscles, movement."""

from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from ecgtune.data.synthetic.rr import narrow_noise

_SLOW = 4.0
_MUSCLE_BAND = (15.0, 100.0)
_MOVEMENT_SECONDS = 0.25


@dataclass(frozen=True)
class Contact:
    """How well a person's electrodes sit; all in mV, standard deviation or amplitude.

    Args:
        wander: of the baseline's drift below 0.3 Hz, and of its breathing.
        hum: of the mains.
        muscle: of muscle noise between 15 and 100 Hz.
        movement: of a movement's step.
        movements: per minute.
        mains: of the mains' frequency, in Hz.
    """

    wander: float = 0.08
    hum: float = 0.01
    muscle: float = 0.012
    movement: float = 0.4
    movements: float = 0.2
    mains: float = 50.0


def artefacts(
    n_leads: int, respiration: NDArray[np.float64], sfreq: float, contact: Contact, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Noise to be added to a clean ECG.

    Args:
        n_leads: the number of leads; each has noise of its own.
        respiration: [n_times], -1 to 1.
        sfreq: in Hz, above 200.
        contact: the sizes.
        rng: of this recording.

    Returns:
        [n_leads, n_times] in mV.
    """
    n_times = len(respiration)
    noise = np.empty((n_leads, n_times))
    for lead in range(n_leads):
        noise[lead] = contact.wander * (_slow(n_times, sfreq, 0.12, rng) + rng.uniform(-0.8, 0.8) * respiration)
        noise[lead] += contact.hum * _hum(n_times, sfreq, contact.mains, rng)
        noise[lead] += contact.muscle * _muscle(n_times, sfreq, rng)
        noise[lead] += contact.movement * _movements(n_times, sfreq, contact.movements, rng)
    return noise


def _slow(n_times: int, sfreq: float, width: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Unit-variance noise below about two `width` Hz."""
    # At least a minute, so that a short recording gets a piece of a drift, not a drift squeezed into it.
    n_slow = int(np.ceil(max(n_times / sfreq, 60.0) * _SLOW)) + 2
    slow = narrow_noise(n_slow, _SLOW, 0.0, width, rng)
    return np.interp(np.arange(n_times) / sfreq, np.arange(n_slow) / _SLOW, slow)


def _hum(n_times: int, sfreq: float, mains: float, rng: np.random.Generator) -> NDArray[np.float64]:
    phase = 2 * np.pi * (mains * np.arange(n_times) / sfreq + rng.uniform())
    return np.asarray(np.exp(0.3 * _slow(n_times, sfreq, 0.05, rng)) * np.sin(phase))


def _muscle(n_times: int, sfreq: float, rng: np.random.Generator) -> NDArray[np.float64]:
    sections = scipy.signal.butter(2, _MUSCLE_BAND, "bandpass", fs=sfreq, output="sos")
    noise = scipy.signal.sosfilt(sections, rng.standard_normal(n_times))
    return np.asarray(noise) / 0.8 * np.exp(0.5 * _slow(n_times, sfreq, 0.05, rng))


def _movements(n_times: int, sfreq: float, per_minute: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Steps that fall back within a second, at random times."""
    steps = np.zeros(n_times)
    count = rng.poisson(per_minute * n_times / sfreq / 60)
    steps[rng.integers(n_times, size=count)] = rng.standard_normal(count)
    fast, slow = (np.exp(-1 / (seconds * sfreq)) for seconds in (_MOVEMENT_SECONDS / 5, _MOVEMENT_SECONDS))
    # The difference of two decays rises within some milliseconds instead of jumping.
    return np.asarray(scipy.signal.lfilter([1], [1, -slow], steps) - scipy.signal.lfilter([1], [1, -fast], steps))
