"""Recordings and ECG made by a formula of its own, so that the tests need no generator of the package."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from ecgtune.data.recording import Recording
from ecgtune.data.store import Target
from ecgtune.errors import DataError


def bump(time, centre, width):
    return np.exp(-0.5 * ((time - centre) / width) ** 2)


@pytest.fixture
def make_ecg():
    """`make_ecg(seconds, ...)`: [n_times], R peaks of height 1 every 60 / bpm seconds, the first after half of that."""

    def make(seconds, *, sfreq=256.0, bpm=60.0, noise=0.02, seed=0, upside_down=False):
        time = np.arange(round(seconds * sfreq)) / sfreq
        signal = noise * np.random.default_rng(seed).normal(size=len(time))
        for beat in np.arange(30 / bpm, seconds, 60 / bpm):
            signal += (
                bump(time, beat, 0.012) - 0.2 * bump(time, beat + 0.03, 0.012) + 0.25 * bump(time, beat + 0.25, 0.05)
            )
        return -signal if upside_down else signal

    return make


@dataclass
class ListReader:
    """Recordings from memory, as any reader gives them."""

    people: dict[str, list[Recording]]
    sources: tuple[Path, ...] = ()
    targets: tuple[Target, ...] = (Target("arousal", 3.0, "1..5"), Target("valence", 3.0))
    notes: list[str] = field(default_factory=list)
    name: str = "made"
    fails_after: int | None = None

    @property
    def n_subjects(self):
        return len(self.people)

    def subjects(self):
        for number, item in enumerate(self.people.items()):
            if number == self.fails_after:
                raise DataError("the third file is corrupt.")
            yield item
        self.notes.append("the reader's own note")


@pytest.fixture
def make_reader(make_ecg, tmp_path):
    def recording(subject, stimulus, seconds, kind, labels):
        signal = np.stack([make_ecg(seconds, seed=row) for row in range(2)])
        return Recording(subject, stimulus, signal, 256.0, labels, kind, ("I", "II"))

    def make(n_subjects=3, **options):
        source = tmp_path / "raw" / "in.dat"
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(b"abc")
        people = {
            f"p{number}": [
                recording(f"p{number}", "rest", 20, "baseline", {"arousal": 5.0, "valence": 5.0}),
                recording(f"p{number}", "clip1", 30, "stimulus", {"arousal": 4.0, "valence": 1.0}),
                recording(f"p{number}", "clip2", 20, "stimulus", {"arousal": float("nan"), "valence": 3.0}),
                recording(f"p{number}", "clip3", 5, "stimulus", {"arousal": 1.0, "valence": 3.0}),
            ]
            for number in range(n_subjects)
        }
        return ListReader(people, (source,), **options)

    return make
