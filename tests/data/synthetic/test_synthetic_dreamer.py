"""The generated DREAMER has the real file's structure, and its effect is where it was planted and nowhere else."""

import numpy as np
import pytest
import scipy.io

from ecgtune.data.dreamer import open_dreamer
from ecgtune.data.synthetic import dreamer
from ecgtune.data.synthetic.dreamer import MEAN_RATINGS, clip_samples, draw_ratings, record_clip, write_dreamer
from ecgtune.data.synthetic.person import Feeling, draw_person
from ecgtune.errors import DataError, InputError

SMALL = {"subjects": 2, "minutes": 3, "eeg": False}


def written(path, **options):
    write_dreamer(path, **{**SMALL, **options})
    return {subject: list(recordings) for subject, recordings in open_dreamer(path).subjects()}


def same(first, second):
    return all(np.array_equal(a.signal, b.signal) for a, b in zip(first, second, strict=True))


def test_full_size_lengths_are_those_of_the_real_file():
    clips, baseline = clip_samples()
    assert sum(samples // 2560 for samples in clips) == 364
    assert 23 * 364 == 8372
    assert (min(clips), clips[0], baseline, len(clips)) == (17152, 50944, 15616, 18)


@pytest.mark.parametrize("minutes", [0.01, 3, 6, 20, 62.1])
def test_minutes_shrink_the_clips_to_whole_windows(minutes):
    clips, baseline = clip_samples(minutes)
    assert all(samples % 2560 == 0 for samples in [*clips, baseline])
    assert sum(clips) / 256 / 60 == pytest.approx(max(minutes, 3), rel=0.1)
    assert clips[13] == max(clips)


@pytest.mark.parametrize("minutes", [0, -1, 63, float("nan"), float("inf")])
def test_other_minutes_are_refused(minutes):
    with pytest.raises(DataError, match="minutes per person cannot be made"):
        clip_samples(minutes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": 0}, "0 subjects"),
        ({"subjects": 100}, "100 subjects"),
        ({"seed": -1}, "seed -1"),
        ({"effect": 6}, "effect of 6"),
        ({"effect": float("nan")}, "effect of nan"),
    ],
)
def test_other_options_are_refused(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        write_dreamer(tmp_path / "D.mat", **{**SMALL, **options})
    assert not list(tmp_path.iterdir())


def test_public_loaders_find_everything(tmp_path):
    path = tmp_path / "DREAMER.mat"
    write_dreamer(path, subjects=2, minutes=4)
    m = scipy.io.loadmat(path)
    top = m["DREAMER"][0, 0]
    assert top.dtype.names == (
        "Data", "EEG_SamplingRate", "ECG_SamplingRate", "EEG_Electrodes", "noOfSubjects", "noOfVideoSequences",
        "Disclaimer", "Provider", "Version", "Acknowledgement",
    )  # fmt: skip
    assert top["Data"].shape == (1, 2)
    assert (top["EEG_SamplingRate"].item(), top["ECG_SamplingRate"].item()) == (128, 256)
    assert (top["noOfSubjects"].item(), top["noOfVideoSequences"].item()) == (2, 18)
    assert [name.item() for name in top["EEG_Electrodes"][0]][:3] == ["AF3", "F7", "F3"]
    clips, baseline = clip_samples(4)
    for i in range(2):
        person = m["DREAMER"][0, 0]["Data"][0, i]
        assert person.dtype.names == (
            "Age", "Gender", "EEG", "ECG", "ScoreValence", "ScoreArousal", "ScoreDominance"
        )  # fmt: skip
        assert person["Gender"][0, 0].item() in ("male", "female")
        assert 18 <= int(person["Age"][0, 0].item()) < 100
        for clip in range(18):
            stimulus = person["ECG"][0, 0]["stimuli"][0, 0][clip, 0]
            assert (stimulus.shape, stimulus.dtype) == ((clips[clip], 2), np.float64)
            assert person["ECG"][0, 0]["baseline"][0, 0][clip, 0].shape == (baseline, 2)
            eeg = person["EEG"][0, 0]["stimuli"][0, 0][clip, 0]
            assert eeg.shape == (clips[clip] // 2, 14)
            assert 3000 < eeg.mean() < 5000
        assert person["EEG"][0, 0]["baseline"][0, 0][0, 0].shape == (baseline // 2, 14)
        for score in ("ScoreValence", "ScoreArousal", "ScoreDominance"):
            assert (person[score][0, 0].shape, person[score][0, 0].dtype) == ((18, 1), np.uint8)
        ratings = draw_ratings(0, i)
        np.testing.assert_array_equal(person["ScoreValence"][0, 0][:, 0], ratings["valence"])
        np.testing.assert_array_equal(person["ScoreArousal"][0, 0][:, 0], ratings["arousal"])
        signal, _ = record_clip(
            0, i, "stimuli", 4, clips[4], Feeling((ratings["arousal"][4] - 3) / 2, (ratings["valence"][4] - 3) / 2)
        )
        np.testing.assert_allclose(person["ECG"][0, 0]["stimuli"][0, 0][4, 0].T, signal, atol=0.0022)


def test_without_eeg_its_cells_are_there_and_empty(tmp_path):
    write_dreamer(tmp_path / "D.mat", **SMALL)
    person = scipy.io.loadmat(tmp_path / "D.mat")["DREAMER"][0, 0]["Data"][0, 0]
    assert person["EEG"][0, 0]["stimuli"][0, 0][17, 0].shape == (0, 14)


def test_ratings_have_the_published_means():
    drawn = [draw_ratings(0, person) for person in range(400)]
    for name in ("valence", "arousal", "dominance"):
        scores = np.array([ratings[name] for ratings in drawn])
        assert scores.shape == (400, 18)
        assert set(np.unique(scores)) == {1, 2, 3, 4, 5}
        np.testing.assert_allclose(scores.mean(axis=0), MEAN_RATINGS[name], atol=0.2)


def test_ratings_are_drawn_apart_from_the_person():
    rates = [draw_person(np.random.default_rng([0, person, 0])).rhythm.rate for person in range(400)]
    for name in MEAN_RATINGS:
        scores = np.array([draw_ratings(0, person)[name] for person in range(400)])
        correlations = [np.corrcoef(rates, clip)[0, 1] for clip in scores.T]
        assert np.abs(correlations).max() < 0.2


def test_no_two_recordings_of_a_person_are_alike(tmp_path):
    [recordings] = written(tmp_path / "D.mat", subjects=1, effect=0.0).values()
    starts = np.array([recording.signal[0, :2560] for recording in recordings])
    assert len(np.unique(starts, axis=0)) == 36


def test_a_person_is_the_same_whatever_the_number_of_people(tmp_path):
    two, three = written(tmp_path / "2.mat"), written(tmp_path / "3.mat", subjects=3)
    assert list(three) == ["01", "02", "03"]
    assert all(same(two[subject], three[subject]) for subject in two)
    assert not same(three["01"], three["02"])


def test_seeds_repeat_and_differ(tmp_path):
    first, again, other = (written(tmp_path / f"{n}.mat", seed=s) for n, s in enumerate((0, 0, 1)))
    assert (tmp_path / "0.mat").read_bytes() == (tmp_path / "1.mat").read_bytes()
    assert same(first["01"], again["01"])
    assert not same(first["01"], other["01"])


def test_the_effect_changes_the_stimuli_that_were_felt_and_nothing_else(tmp_path):
    without, with_effect = (written(tmp_path / f"{effect}.mat", effect=effect) for effect in (0.0, 1.0))
    for subject in without:
        for a, b in zip(without[subject], with_effect[subject], strict=True):
            assert a.labels == b.labels or a.kind == "baseline"
            felt = a.kind == "stimulus" and (a.labels["arousal"], a.labels["valence"]) != (3, 3)
            assert np.array_equal(a.signal, b.signal) != felt


def test_with_no_effect_other_ratings_leave_the_ecg_alone(tmp_path, monkeypatch):
    before = written(tmp_path / "a.mat", effect=0.0)
    with_effect = written(tmp_path / "b.mat", effect=1.0)
    monkeypatch.setattr(dreamer, "draw_ratings", lambda seed, person: {name: np.full(18, 5) for name in MEAN_RATINGS})
    assert same(before["01"], written(tmp_path / "c.mat", effect=0.0)["01"])
    assert not same(with_effect["01"], written(tmp_path / "d.mat", effect=1.0)["01"])


def test_arousal_raises_the_heart_rate_that_was_planted():
    rates = {}
    for arousal in (-1.0, 1.0):
        beats = [record_clip(0, 0, "stimuli", clip, 256 * 60, Feeling(arousal))[1] for clip in range(6)]
        rates[arousal] = np.mean([60 * 256 / np.diff(peaks).mean() for peaks in beats])
    assert rates[1.0] / rates[-1.0] == pytest.approx(np.exp(0.16), rel=0.01)


def test_an_existing_file_is_left_alone_unless_told(tmp_path):
    path = tmp_path / "D.mat"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        write_dreamer(path, **SMALL)
    assert path.read_text() == "mine"
    done = []
    write_dreamer(path, **SMALL, overwrite=True, progress=done.append)
    assert done == [1, 2]
    assert path.stat().st_size > 100_000
    assert list(tmp_path.iterdir()) == [path]
