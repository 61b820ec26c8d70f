"""Heart-rate features of a window, and their cache."""

import numpy as np
import pytest

from ecgtune.data.pool import WindowPool
from ecgtune.data.store import COLUMNS, DatasetWriter, load_dataset
from ecgtune.evaluation import heart_rate
from ecgtune.evaluation.heart_rate import FEATURES, beat_features, heart_rate_features

SFREQ = 256.0


def window(intervals, *, seed=0, n_times=2560):
    """Beats the given RR intervals (s) apart, from 0.4 s on: narrow QRS complexes, T waves and a little noise."""
    times = np.arange(n_times) / SFREQ
    beats = 0.4 + np.concatenate([[0.0], np.cumsum(intervals)])
    signal = 0.02 * np.random.default_rng(seed).normal(size=n_times)
    for beat in beats:
        signal += np.exp(-(((times - beat) / 0.012) ** 2)) + 0.2 * np.exp(-(((times - beat - 0.25) / 0.05) ** 2))
    return signal.astype(np.float32)


@pytest.mark.parametrize("rate", [50, 72, 100, 140])
def test_the_rate(rate):
    found = beat_features(window([60 / rate] * int(9.4 * rate / 60)), SFREQ)
    assert found[FEATURES.index("heart_rate")] == pytest.approx(rate, rel=0.02)


def test_the_variability():
    intervals = 0.8 + 0.06 * np.random.default_rng(1).normal(size=11)
    found = dict(zip(FEATURES, beat_features(window(intervals), SFREQ), strict=True))
    seen = 1000 * intervals[np.cumsum(intervals) + 0.4 < 9.95]
    assert found["log_sdnn"] == pytest.approx(np.log(seen.std(ddof=1)), abs=0.1)
    assert found["log_rmssd"] == pytest.approx(np.log(np.sqrt(np.mean(np.diff(seen) ** 2))), abs=0.1)


def test_a_perfectly_regular_rhythm_has_the_least_variability_that_can_be_told():
    found = beat_features(window([0.75] * 12), SFREQ)
    assert found[1:] == pytest.approx([np.log(1000 / SFREQ)] * 2, abs=0.3)


def test_a_missed_beat_does_not_count():
    intervals = [0.8, 0.8, 0.8, 1.6, 0.8, 0.8, 0.8, 0.8]
    found = beat_features(window(intervals), SFREQ)
    assert found[0] == pytest.approx(75, rel=0.02)
    assert found[1] < np.log(30)


@pytest.mark.parametrize(
    "signal",
    [
        np.zeros(2560),
        np.full(2560, np.nan),
        np.append(np.full(1, np.nan), window([0.8] * 11)[1:]),
        window([0.8] * 11)[:300],
    ],
    ids=["flat", "nan", "one nan", "too short"],
)
def test_no_plausible_beats_no_features(signal):
    assert np.isnan(beat_features(signal, SFREQ)).all()


@pytest.mark.parametrize(
    ("intervals", "rate"),
    [
        ([0.8, 0.8, 0.8], 75),
        ([0.8, 0.8], None),
        ([3.0, 3.0, 3.0], None),
        ([0.2] * 12, None),
        ([0.5, 1.0, 0.5, 1.0, 2.0], None),
        ([0.8, 3.0, 0.8, 0.1, 0.8], 75),
    ],
)
def test_which_intervals_count(monkeypatch, intervals, rate):
    peaks = np.round(np.cumsum([0.1, *intervals]) * 1000).astype(int)
    monkeypatch.setattr(heart_rate, "r_peaks", lambda *_: peaks)
    found = beat_features(np.zeros(10_000), 1000.0)
    assert np.isnan(found).all() if rate is None else found[0] == pytest.approx(rate)


@pytest.fixture
def pool(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    writer = DatasetWriter(folder, "mine", 2560, ())
    windows = np.stack([window([60 / rate] * 14, seed=rate) for rate in (60, 80, 100, 120)])
    row = dict.fromkeys(COLUMNS, "x")
    writer.add(windows, [{**row, "start": 0.0, "quality": "flat" if number == 1 else ""} for number in range(4)], {})
    writer.finish(sfreq=SFREQ, details={})
    return WindowPool([load_dataset(folder)])


def test_a_pools_features_are_those_of_its_good_windows(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(heart_rate, "_CHUNK", 2)
    seen = []
    found = heart_rate_features(pool, SFREQ, tmp_path / "cache", seen.append)
    assert found[:, 0] == pytest.approx([60, 100, 120], rel=0.02)
    assert seen == [2, 3]


def test_features_are_computed_once_and_again_where_the_file_is_not_whole(pool, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    first = heart_rate_features(pool, SFREQ, cache)
    (file,) = cache.iterdir()

    def fail(*_):
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr(heart_rate, "beat_features", fail)
        assert np.array_equal(heart_rate_features(pool, SFREQ, cache), first)
        for broken in (b"", b"not numpy", file.read_bytes()[:100]):
            file.write_bytes(broken)
            with pytest.raises(AssertionError, match="computed again"):
                heart_rate_features(pool, SFREQ, cache)
        np.save(file, first[:2])
        with pytest.raises(AssertionError, match="computed again"):
            heart_rate_features(pool, SFREQ, cache)
    assert np.array_equal(heart_rate_features(pool, SFREQ, cache), first)
