"""Generated people are plausible, differ from each other, and feel nothing that was not planted."""

from dataclasses import replace

import numpy as np
import pytest

from ecgtune.data.synthetic.ecgsyn import WAVES
from ecgtune.data.synthetic.person import Feeling, draw_person, felt_morphology, felt_rhythm, record

SFREQ = 256


def somebody(number=0):
    return draw_person(np.random.default_rng([9, number]))


def test_people_are_within_human_ranges():
    people = [somebody(number) for number in range(200)]
    rates = np.array([person.rhythm.rate for person in people])
    assert rates.min() >= 55
    assert rates.max() <= 90
    assert rates.std() > 5
    r = np.array([person.morphology.amplitude[:, WAVES.index("R")] for person in people])
    # Upright in both leads, so that a detector that looks upwards finds every beat.
    assert r.min() > 0.2
    assert r.max() < 3
    t = np.array([person.morphology.amplitude[:, WAVES.index("T")] for person in people])
    assert (np.abs(t) < r).all()


def test_a_feeling_of_nothing_changes_nothing():
    person = somebody()
    assert felt_rhythm(person.rhythm, Feeling()) == person.rhythm
    np.testing.assert_array_equal(felt_morphology(person.morphology, Feeling()).amplitude, person.morphology.amplitude)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 0.0), (0.0, 1.0), (-2.0, 2.0)])
def test_arousal_quickens_steadies_and_flattens(low, high):
    person = somebody()
    calm, excited = (felt_rhythm(person.rhythm, Feeling(arousal=a)) for a in (low, high))
    assert excited.rate > calm.rate
    assert excited.slow < calm.slow
    assert excited.breathing_sd < calm.breathing_sd
    calm_waves, excited_waves = (felt_morphology(person.morphology, Feeling(arousal=a)).amplitude for a in (low, high))
    t, st, p = WAVES.index("T"), WAVES.index("ST"), WAVES.index("P")
    assert (np.abs(excited_waves[:, t]) < np.abs(calm_waves[:, t])).all()
    assert (excited_waves[:, st] < calm_waves[:, st]).all()
    np.testing.assert_array_equal(excited_waves[:, p], calm_waves[:, p])


def test_valence_deepens_breathing_and_raises_p_and_r():
    person = somebody()
    sad, happy = (felt_rhythm(person.rhythm, Feeling(valence=v)) for v in (-1, 1))
    assert happy.breathing_sd > sad.breathing_sd
    assert (happy.rate, happy.slow) == (sad.rate, sad.slow)
    waves = [np.abs(felt_morphology(person.morphology, Feeling(valence=v)).amplitude) for v in (-1, 1)]
    changed = [name for number, name in enumerate(WAVES) if (waves[1][:, number] != waves[0][:, number]).any()]
    assert changed == ["P", "R"]


@pytest.mark.parametrize("seed", range(3))
def test_feelings_do_not_touch_the_random_stream(seed):
    """Without electrodes' noise two feelings differ; the noise itself is the same to the last bit."""
    person = somebody(seed)
    silent = replace(person, contact=replace(person.contact, wander=0.0, hum=0.0, muscle=0.0, movement=0.0))

    def added(feeling):
        noisy, clean = (record(p, 5120, SFREQ, feeling, np.random.default_rng(seed))[0] for p in (person, silent))
        return noisy - clean

    np.testing.assert_allclose(added(Feeling()), added(Feeling(1.0, -1.0)), atol=1e-12)


def test_recordings_of_one_person_vary_by_themselves():
    person = somebody()
    rates = []
    for number in range(30):
        _, peaks = record(person, 60 * SFREQ, SFREQ, Feeling(), np.random.default_rng(number))
        rates.append(60 * SFREQ / np.diff(peaks).mean())
    assert np.mean(rates) == pytest.approx(person.rhythm.rate, rel=0.02)
    assert 0.01 < np.std(rates) / np.mean(rates) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("number", range(6))
def test_a_beat_detector_finds_the_planted_beats(number):
    import neurokit2 as nk

    signal, peaks = record(somebody(number), 60 * SFREQ, SFREQ, Feeling(), np.random.default_rng(number))
    for lead in signal:
        found = nk.ecg_peaks(nk.ecg_clean(lead, sampling_rate=SFREQ), sampling_rate=SFREQ)[1]["ECG_R_Peaks"]
        inner = peaks[(peaks > SFREQ) & (peaks < 59 * SFREQ)]
        nearest = np.abs(inner[:, None] - found[None, :]).min(axis=1)
        assert np.mean(nearest <= 0.04 * SFREQ) > 0.98
        within = found[(found > SFREQ) & (found < 59 * SFREQ)]
        assert abs(len(within) - len(inner)) <= 2
