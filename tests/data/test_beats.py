import numpy as np
import pytest

from ecgtune.data.beats import r_peaks


@pytest.mark.parametrize("detector", ["fast", "thorough"])
@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("bpm", [45, 75, 150])
def test_every_beat_is_found_once_within_50_ms(make_ecg, detector, upside_down, bpm):
    peaks = r_peaks(make_ecg(60, bpm=bpm, upside_down=upside_down), 256.0, detector) / 256
    beats = np.arange(30 / bpm, 60, 60 / bpm)
    inner = beats[(beats > 3) & (beats < 57)]  # a detector has to settle first
    near = np.abs(peaks[:, None] - inner).min(axis=0)
    assert near.max() < 0.05
    assert ((peaks > 3) & (peaks < 57)).sum() <= 1.05 * len(inner) + 1
    assert (np.diff(peaks) > 0).all()


@pytest.mark.parametrize("detector", ["fast", "thorough"])
@pytest.mark.parametrize(
    "signal",
    [
        np.empty(0),
        np.zeros(1),
        np.zeros(5120),
        np.full(5120, 3.7),
        np.r_[np.zeros(2560), np.ones(2560)],
        np.arange(5120.0),
        np.eye(1, 5120, 77)[0],
        np.random.default_rng(0).normal(size=100),
        np.random.default_rng(0).normal(size=5120) * 1e9,
    ],
    ids=["empty", "one sample", "zeros", "constant", "step", "ramp", "impulse", "short", "huge noise"],
)
def test_a_signal_without_beats_is_no_accident(signal, detector):
    peaks = r_peaks(signal, 256.0, detector)
    assert peaks.dtype == np.intp
    assert ((peaks >= 0) & (peaks < max(1, len(signal)))).all()
    if len(set(signal)) < 2 or len(signal) < 512:
        assert not len(peaks)
