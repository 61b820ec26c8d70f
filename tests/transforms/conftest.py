"""ECG-like windows for the tests of the transformations."""

import numpy as np
import pytest
import torch


def pulse_train(n_windows, seed, noise=0.1, n_times=2560):
    """[n_windows, n_times] at 256 Hz: beats of five Gaussian waves at any phase, white noise up to 128 Hz."""
    rng = np.random.default_rng(seed)
    period = rng.uniform(0.6, 1.1, (n_windows, 1))
    beats = rng.uniform(-8, -7, (n_windows, 1)) + np.cumsum(
        period * (1 + 0.05 * rng.standard_normal((n_windows, 36))), axis=1
    )
    time = np.arange(n_times) / 256
    windows = noise * rng.standard_normal((n_windows, n_times))
    since = time - np.take_along_axis(beats, np.maximum(_beat(beats, time) - 1, 0), axis=1)
    until = time - np.take_along_axis(beats, np.minimum(_beat(beats, time), 35), axis=1)
    for height, width, delay in ((1, 0.012, 0), (-0.2, 0.01, 0.03), (-0.15, 0.01, -0.03), (0.25, 0.05, 0.25)):
        for distance in (since, until):
            windows += height * np.exp(-0.5 * ((distance - delay) / width) ** 2)
    return torch.from_numpy(windows.astype(np.float32))


def _beat(beats, time):
    return np.stack([np.searchsorted(row, time, side="right") for row in beats])


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def pulses():
    """[2400, 2560] windows with a heavy floor of white noise, where smoothing would show most."""
    return pulse_train(2400, seed=0)


@pytest.fixture(scope="session")
def few_pulses():
    """[50, 2560] windows of the same kind."""
    return pulse_train(50, seed=1)
