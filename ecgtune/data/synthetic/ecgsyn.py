"""ECG from RR intervals, by the dynamical model of McSharry et al. 2003 (IEEE TBME 50:289).

A phase runs once round the circle for every beat; each wave pulls the voltage up and down as the phase passes it, and
the voltage falls back to its rest. The pull does not depend on the voltage, so the equation is a linear recursion and
whole recordings are computed at once. Two things differ from the paper: waves have widths in seconds that follow the
RR interval, each by its own power (Bazett's square root for T, none for QRS), and the T wave is the sum of two, which
makes its second flank the steeper one, as in people.
"""

from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

# Per wave: time after the R peak (s) and width (s) at an RR interval of 1 s, and the power of RR that scales both.
WAVES = ("P", "Q", "R", "S", "ST", "T", "T2")
_TIME = np.array([-0.165, -0.026, 0.0, 0.027, 0.13, 0.27, 0.315])
_WIDTH = np.array([0.024, 0.009, 0.0105, 0.010, 0.045, 0.055, 0.034])
_POWER = np.array([0.25, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5])
_REST = 1.0  # per second: how fast the voltage falls back
_R_BREATHING = 0.06


@dataclass(frozen=True)
class Morphology:
    """How a person's waves look.

    Args:
        amplitude: [n_leads, 7] in mV, in the order of `WAVES`.
        time: [7], factors on the waves' times; 1 is the average person.
        width: [7], factors on their widths.
    """

    amplitude: NDArray[np.float64]
    time: NDArray[np.float64]
    width: NDArray[np.float64]


def synthesise(
    rr: NDArray[np.float64],
    respiration: NDArray[np.float64],
    morphology: Morphology,
    sfreq: float,
    start: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A clean ECG.

    Args:
        rr: [n_times], momentary RR interval in s.
        respiration: [n_times], -1 to 1; it modulates the R wave by some per cent.
        morphology: of the person.
        sfreq: in Hz.
        start: the phase of the first sample, in beats, 0 (an R peak) to 1.

    Returns:
        The voltage [n_leads, n_times] in mV, and the samples of the R peaks [n_beats].
    """
    beats = start + np.concatenate([[0.0], np.cumsum(1 / rr[:-1])]) / sfreq
    pull = np.zeros((len(morphology.amplitude), len(rr)))
    root = {power: rr**power for power in set(_POWER.tolist())}
    for wave, name in enumerate(WAVES):
        scale = root[float(_POWER[wave])]
        away = beats - _TIME[wave] * morphology.time[wave] * scale / rr
        seconds = (away - np.round(away)) * rr
        width = _WIDTH[wave] * morphology.width[wave] * scale
        distance = seconds / width
        slope = -distance / width * np.exp(-0.5 * distance**2)
        if name == "R":
            slope *= 1 + _R_BREATHING * respiration
        pull += morphology.amplitude[:, wave, None] * slope
    decay = np.exp(-_REST / sfreq)
    # Half a step's pull from each end: the trapezoidal rule, which does not delay the waves.
    voltage = scipy.signal.lfilter([0.5 / sfreq, 0.5 * decay / sfreq], [1, -decay], pull, axis=1)
    return voltage, _peaks(beats)


def _peaks(beats: NDArray[np.float64]) -> NDArray[np.int64]:
    """The samples nearest to where the phase passes a whole number."""
    after = np.flatnonzero(np.diff(np.floor(beats)) > 0) + 1
    late = beats[after] - np.floor(beats[after]) > np.ceil(beats[after - 1]) - beats[after - 1]
    return np.asarray(after - late, dtype=np.int64)
