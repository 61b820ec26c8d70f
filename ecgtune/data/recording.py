"""One continuous ECG recording of one person under one stimulus."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgtune.errors import DataError

Kind: TypeAlias = Literal["stimulus", "baseline"]


@dataclass(frozen=True)
class Recording:
    """One continuous ECG recording.

    Args:
        subject: the person, unique within the data set.
        stimulus: what the person saw or did, e.g. `clip03` or `arithmetic`.
        signal: [n_leads, n_times], in the file's own unit; NaN where the file has none.
        sfreq: samples per second, in Hz, above 0.
        labels: target name -> score; a missing score is NaN. A baseline carries none.
        kind: `stimulus`, or `baseline` for the rest recorded before it.
        leads: the names of the leads, one per row of `signal`.
        source: the file, and the place in it, for messages.

    Raises:
        DataError: the parts do not fit together.
    """

    subject: str
    stimulus: str
    signal: NDArray[np.floating]
    sfreq: float
    labels: Mapping[str, float] = field(default_factory=dict)
    kind: Kind = "stimulus"
    leads: tuple[str, ...] = ("ecg",)
    source: str = ""

    def __post_init__(self) -> None:
        if self.signal.ndim != 2 or self.signal.shape[0] != len(self.leads):
            raise DataError(
                f"{self.source or self.stimulus}: the signal has the shape {self.signal.shape}; "
                f"it must be [n_leads, n_times] with one row for each of the {len(self.leads)} leads."
            )
        if not self.sfreq > 0:
            raise DataError(
                f"{self.source or self.stimulus}: the sampling rate is {self.sfreq} Hz; it must be above 0."
            )

    @property
    def seconds(self) -> float:
        """The duration, in seconds."""
        return float(self.signal.shape[1]) / self.sfreq
