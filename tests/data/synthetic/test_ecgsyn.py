"""The recursion solves the model's equation, and its waves stand where hearts have them."""

import numpy as np
import pytest
import scipy.integrate

from ecgtune.data.synthetic.ecgsyn import WAVES, Morphology, synthesise

SFREQ = 256
ONES = np.ones(len(WAVES))


def waves(**amplitudes):
    return Morphology(np.array([[amplitudes.get(name, 0.0) for name in WAVES]]), ONES, ONES)


NORMAL = waves(P=0.13, Q=-0.1, R=1.2, S=-0.25, T=0.24, T2=0.19)


def steady(seconds, rr=0.8):
    n_times = int(seconds * SFREQ)
    return np.full(n_times, rr), np.zeros(n_times)


@pytest.mark.parametrize(("sfreq", "tolerance"), [(256, 0.02), (512, 0.005), (1024, 0.00125)])
def test_it_solves_the_differential_equation(sfreq, tolerance):
    """Against a general solver on the equation as the paper writes it; the error falls with the square of the step."""
    rr, time, width, power = 0.8, [-0.165, 0.0, 0.27], [0.024, 0.0105, 0.055], [0.25, 0.0, 0.5]
    size = [0.13, 1.2, 0.24]

    def slope(t, z):
        pull = 0.0
        for a, at, b, p in zip(size, time, width, power, strict=True):
            away = (t / rr - at * rr**p / rr + 0.5) % 1 - 0.5
            seconds = away * rr
            spread = b * rr**p
            pull -= a * seconds / spread**2 * np.exp(-(seconds**2) / (2 * spread**2))
        return pull - z

    times = np.arange(3 * sfreq) / sfreq
    solved = scipy.integrate.solve_ivp(slope, (0, 3), [0.0], t_eval=times, max_step=1e-3, rtol=1e-8, atol=1e-10)
    constant, flat = np.full(len(times), rr), np.zeros(len(times))
    voltage, _ = synthesise(constant, flat, waves(P=0.13, R=1.2, T=0.24), sfreq, start=0.0)
    np.testing.assert_allclose(voltage[0], solved.y[0], atol=tolerance, rtol=0)


@pytest.mark.parametrize("rr", [0.6, 0.8, 1.1])
@pytest.mark.parametrize("start", [0.0, 0.3, 0.99])
def test_r_peaks_are_where_the_phase_is_whole(rr, start):
    voltage, peaks = synthesise(*steady(30, rr), NORMAL, SFREQ, start)
    expected = np.arange(1, int(30 / rr + start) + 1) - start
    np.testing.assert_allclose(peaks[: len(expected)] / SFREQ, (expected * rr)[: len(peaks)], atol=0.51 / SFREQ)
    assert abs(len(peaks) - len(expected)) <= 1
    for peak in peaks[1:-1]:
        assert abs(np.argmax(voltage[0, peak - 20 : peak + 20]) - 20) <= 1
    assert voltage[0, peaks].max() == pytest.approx(1.2, abs=0.25)


def test_r_peaks_follow_a_changing_rate():
    rr = np.linspace(0.6, 1.2, 60 * SFREQ)
    _, peaks = synthesise(rr, np.zeros_like(rr), NORMAL, SFREQ, 0.0)
    found = np.diff(peaks) / SFREQ
    middle = (peaks[1:] + peaks[:-1]) // 2
    np.testing.assert_allclose(found, rr[middle], atol=1.5 / SFREQ)


@pytest.mark.parametrize("rr", [0.5, 0.7, 1.0, 1.3])
def test_the_t_wave_follows_bazett_and_qrs_does_not(rr):
    for wave, expected in (("T", 0.27 * np.sqrt(rr)), ("S", 0.027), ("R", 0.0)):
        voltage, peaks = synthesise(*steady(10, rr), waves(**{wave: 1.0}), SFREQ, 0.0)
        beat = voltage[0, peaks[3] - 20 : peaks[3] + int(0.7 * rr * SFREQ)]
        assert (np.argmax(beat) - 20) / SFREQ == pytest.approx(expected, abs=1.5 / SFREQ)


def test_the_factors_move_and_widen_waves():
    late = Morphology(waves(T=1.0).amplitude, 1.2 * ONES, ONES)
    wide = Morphology(waves(T=1.0).amplitude, ONES, 1.5 * ONES)
    plain, moved, widened = (synthesise(*steady(5), m, SFREQ, 0.5)[0][0] for m in (waves(T=1.0), late, wide))
    shift = np.argmax(moved[: SFREQ // 1]) - np.argmax(plain[: SFREQ // 1])
    assert shift / SFREQ == pytest.approx(0.2 * 0.27 * np.sqrt(0.8), abs=1.5 / SFREQ)
    assert (widened > 0.4).sum() > 1.25 * (plain > 0.4).sum()


def test_breathing_moves_the_r_wave_only():
    rr, flat = steady(5)
    for wave, ratio in (("R", 1.06), ("T", 1.0)):
        plain = synthesise(rr, flat, waves(**{wave: 1.0}), SFREQ, 0.0)[0]
        breathed = synthesise(rr, flat + 1, waves(**{wave: 1.0}), SFREQ, 0.0)[0]
        np.testing.assert_allclose(breathed, ratio * plain, atol=1e-12)


def test_leads_are_projections_of_one_heart():
    both = Morphology(np.stack([NORMAL.amplitude[0], -2 * NORMAL.amplitude[0]]), ONES, ONES)
    voltage, _ = synthesise(*steady(4), both, SFREQ, 0.0)
    np.testing.assert_allclose(voltage[1], -2 * voltage[0], atol=1e-12)
