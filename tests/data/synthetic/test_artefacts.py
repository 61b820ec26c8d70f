"""Each artefact has its frequency, its size and its lead."""

import numpy as np
import pytest
import scipy.signal

from ecgtune.data.synthetic.artefacts import Contact, artefacts

SFREQ = 256
QUIET = dict.fromkeys(("wander", "hum", "muscle", "movement", "movements"), 0.0)
NO_BREATH = np.zeros(SFREQ * 300)


def noise(respiration=NO_BREATH, seed=0, **sizes):
    return artefacts(2, respiration, SFREQ, Contact(**{**QUIET, **sizes}), np.random.default_rng(seed))


def share(signal, low, high):
    frequency, power = scipy.signal.welch(signal, SFREQ, nperseg=SFREQ * 20, detrend=False)
    return power[(frequency >= low) & (frequency <= high)].sum() / power.sum()


def test_perfect_contact_adds_nothing():
    assert not noise().any()


@pytest.mark.parametrize(
    ("sizes", "low", "high", "sd"),
    [
        ({"wander": 0.1}, 0, 0.5, 0.1),
        ({"hum": 0.1}, 49.5, 50.5, 0.1 / np.sqrt(2)),
        ({"hum": 0.1, "mains": 60.0}, 59.5, 60.5, 0.1 / np.sqrt(2)),
        ({"muscle": 0.1}, 12, 110, 0.1),
    ],
)
def test_each_has_its_band_and_size(sizes, low, high, sd):
    for lead in noise(**sizes):
        assert share(lead, low, high) > 0.9
        assert 0.6 * sd < lead.std() < 1.8 * sd


def test_wander_follows_the_breath():
    breath = np.sin(2 * np.pi * 0.25 * np.arange(SFREQ * 300) / SFREQ)
    added = noise(breath, wander=1.0) - noise(wander=1.0)
    for lead in added:
        assert abs(np.corrcoef(lead, breath)[0, 1]) > 0.999
        assert np.abs(lead).max() <= 0.8


def test_movements_are_rare_steps_that_fall_back():
    moved = noise(movement=1.0, movements=1.0)
    for lead in moved:
        assert 0 < np.mean(np.abs(lead) > 0.05) < 0.2
        assert np.abs(np.diff(lead)).max() < 0.5
    assert not noise(movement=1.0, movements=0.0).any()


def test_leads_have_noise_of_their_own_and_seeds_repeat():
    first, second = noise(wander=0.1, muscle=0.1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3
    np.testing.assert_array_equal(noise(muscle=0.1), noise(muscle=0.1))
    assert (noise(muscle=0.1) != noise(muscle=0.1, seed=1)).any()


@pytest.mark.parametrize("n_times", [1, 100, 2560])
def test_short_recordings_work(n_times):
    result = artefacts(1, np.zeros(n_times), SFREQ, Contact(), np.random.default_rng(0))
    assert result.shape == (1, n_times)
    assert np.isfinite(result).all()
