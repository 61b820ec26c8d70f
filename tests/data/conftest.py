"""ECG made by a formula of its own, so that the tests need no generator of the package."""

import numpy as np
import pytest


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
