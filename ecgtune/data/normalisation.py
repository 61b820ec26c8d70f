"""Bringing different people, electrodes and amplifiers to one scale.

    person_trimmed  per person and lead, over all of the person's recordings: minus the mean, by the standard
                    deviation of the values between their 2.5 % and 97.5 % quantiles (Sarkar & Etemad 2020)
    person          the same with the plain standard deviation
    baseline        as `person_trimmed`, but measured on the person's own baseline recordings alone
    window          each window by its own mean and standard deviation
    none            as recorded

`person_trimmed` and `person` look at all of a person's recordings, so a new person has to be recorded first;
`baseline` needs a rest recording of that person, `window` and `none` need nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.preprocessing import Normalisation

TRIM = (0.025, 0.975)


@dataclass(frozen=True)
class Scale:
    """What is taken off and divided by, in the recording's unit; `spread` is above 0."""

    mean: float = 0.0
    spread: float = 1.0

    def apply(self, signal: NDArray[np.floating]) -> NDArray[np.float64]:
        """Normalise a signal of any shape."""
        return (np.asarray(signal, dtype=np.float64) - self.mean) / self.spread


def measure(parts: Sequence[NDArray[np.floating]], *, trimmed: bool) -> Scale:
    """The scale of one lead of one person.

    Args:
        parts: the lead in each recording, [n_times] each; at least one sample in all.
        trimmed: whether the spread leaves out the lowest and highest 2.5 % of the values.

    Returns:
        the mean of all values, and their spread; a flat lead is left at 0 rather than divided by 0.
    """
    values = np.sort(np.concatenate([np.asarray(part, dtype=np.float64) for part in parts]))
    kept = values
    if trimmed:
        first, last = (round(quantile * len(values)) for quantile in TRIM)
        kept = values[first : max(last, first + 1)]
    spread = float(kept.std())
    # Rounding leaves a flat lead with a spread of some 1e-16 of its level: dividing by it would invent a signal.
    flat = spread <= 1e-9 * max(float(np.abs(values).max()), np.finfo(float).tiny)
    return Scale(float(values.mean()), 1.0 if flat else spread)


def person_scale(
    normalisation: Normalisation, everything: Sequence[NDArray[np.floating]], baseline: Sequence[NDArray[np.floating]]
) -> Scale:
    """The scale of one lead of one person for any normalisation; `window` and `none` leave it as it is.

    Args:
        normalisation: one of `NORMALISATIONS`.
        everything: the lead in all of the person's recordings, [n_times] each.
        baseline: the lead in their baseline recordings; needed for `baseline` only.
    """
    if normalisation in ("window", "none"):
        return Scale()
    if normalisation == "baseline":
        return measure(baseline, trimmed=True)
    return measure(everything, trimmed=normalisation == "person_trimmed")


def by_window(windows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Each row of [n_windows, n_times] by its own mean and standard deviation; a flat row becomes 0."""
    return np.array([measure([window], trimmed=False).apply(window) for window in windows]).reshape(windows.shape)
