"""What a data set holds, in figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtune.data.store import Target, WindowDataset


@dataclass(frozen=True)
class LabelCounts:
    """The good windows of one target, by class at the target's own threshold.

    Args:
        target: its name.
        threshold: a score above it is the positive class.
        negative: windows at or below the threshold.
        positive: windows above it.
        unlabelled: windows without a score; baselines are among them.
        subjects_with_both: persons with windows of both classes.
    """

    target: str
    threshold: float
    negative: int
    positive: int
    unlabelled: int
    subjects_with_both: int


@dataclass(frozen=True)
class Overview:
    """Counts of a data set's windows.

    Args:
        subjects: persons with at least one window.
        windows: all of them.
        good: those without a quality flag.
        kinds, leads, stimuli: windows per name.
        quality: windows per flag; one window can have several.
        labels: one entry per target.
    """

    subjects: int
    windows: int
    good: int
    kinds: dict[str, int]
    leads: dict[str, int]
    stimuli: dict[str, int]
    quality: dict[str, int]
    labels: tuple[LabelCounts, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def overview(rows: pd.DataFrame, labels: NDArray[np.floating], targets: Sequence[Target]) -> Overview:
    """Count.

    Args:
        rows: one per window, with the columns of `ecgtune.data.store.COLUMNS`.
        labels: [n_windows, n_targets], NaN for none.
        targets: one per column of `labels`.
    """
    good = (rows["quality"] == "").to_numpy(dtype=np.bool_)
    flags = Counter(flag for quality in rows["quality"] for flag in quality.split("+") if flag)
    counted = []
    for column, target in enumerate(targets):
        scores = labels[good, column]
        people = rows["subject"].to_numpy()[good]
        negative, positive = scores <= target.threshold, scores > target.threshold
        both = set(people[negative].tolist()) & set(people[positive].tolist())
        counted.append(
            LabelCounts(
                target.name,
                target.threshold,
                int(negative.sum()),
                int(positive.sum()),
                int(np.isnan(scores).sum()),
                len(both),
            )
        )
    return Overview(
        subjects=int(rows["subject"].nunique()),
        windows=len(rows),
        good=int(good.sum()),
        kinds=dict(Counter(rows["kind"])),
        leads=dict(Counter(rows["lead"])),
        stimuli=dict(Counter(rows["stimulus"])),
        quality=dict(flags.most_common()),
        labels=tuple(counted),
    )


def overview_of(dataset: WindowDataset) -> Overview:
    """Count what a data-set folder holds."""
    return overview(dataset.rows, dataset.labels, dataset.targets)
