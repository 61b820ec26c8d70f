"""Which windows hold no usable ECG, and why. Judged before normalisation, on signals of any unit and polarity.

nan       the file has no value somewhere in the window
flat      one second or more of a constant value: a lead that is off, or padding
clipped   the signal rests on the recording's highest or lowest value
no_beats  fewer than 3 beats, or 5 seconds without one
noisy     beats do not stand out from what is between them, or no two are alike, or something dwarfs them
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.beat_quality import beat_flags

FLAGS = ("nan", "flat", "clipped", "no_beats", "noisy")

_CLIPPED_SECONDS = 0.1  # per window; a single broad T wave may be the recording's highest value


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
        faults: of the file's samples, see `ecgtune.data.faults.signal_faults`.
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
    for own, beat_flag in zip(flags, beat_flags(signal, sfreq, starts, n_times), strict=True):
        if beat_flag:
            own.append(beat_flag)
    return ["+".join(own) for own in flags]
