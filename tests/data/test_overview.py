import numpy as np
import pandas as pd

from ecgtune.data.overview import LabelCounts, overview
from ecgtune.data.store import Target

ROWS = pd.DataFrame(
    [
        ("a", "clip", "I", 0.0, "stimulus", ""),
        ("a", "clip", "I", 10.0, "stimulus", ""),
        ("a", "clip", "II", 0.0, "stimulus", "nan+noisy"),
        ("b", "clip", "I", 0.0, "stimulus", ""),
        ("b", "rest", "I", 0.0, "baseline", ""),
        ("c", "clip", "I", 0.0, "stimulus", "noisy"),
    ],
    columns=["subject", "stimulus", "lead", "start", "kind", "quality"],
)


def test_counts():
    labels = np.array([[1.0], [3.0], [9.0], [2.0], [np.nan], [9.0]])
    counts = overview(ROWS, labels, [Target("arousal", 2.0)])
    assert (counts.subjects, counts.windows, counts.good) == (3, 6, 4)
    assert counts.kinds == {"stimulus": 5, "baseline": 1}
    assert counts.leads == {"I": 5, "II": 1}
    assert counts.stimuli == {"clip": 5, "rest": 1}
    assert counts.quality == {"noisy": 2, "nan": 1}
    # A score at the threshold is not above it; windows with a flag are not counted.
    assert counts.labels == (LabelCounts("arousal", 2.0, negative=2, positive=1, unlabelled=1, subjects_with_both=1),)


def test_nothing_to_count():
    counts = overview(ROWS[:0], np.empty((0, 0)), [])
    assert (counts.subjects, counts.windows, counts.good, counts.labels) == (0, 0, 0, ())
