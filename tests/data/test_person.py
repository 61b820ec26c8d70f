import numpy as np
import pytest

from ecgtune.data.person import prepare_person
from ecgtune.data.preprocessing import Preparation, high_pass
from ecgtune.data.recording import Recording

SFREQ = 256.0


@pytest.fixture
def make(make_ecg):
    def recording(stimulus, seconds, *, gain=1.0, leads=("I", "II"), sfreq=SFREQ, kind="stimulus", **labels):
        signal = np.stack([gain * make_ecg(seconds, sfreq=sfreq, seed=row) for row in range(len(leads))])
        return Recording("p1", stimulus, signal, sfreq, labels, kind, leads)

    return recording


def test_every_lead_and_instant_becomes_a_row(make):
    (item,), notes = prepare_person([make("clip", 35)], Preparation())
    assert notes == []
    assert item.windows.shape == (2, 3, 2560)
    assert item.windows.dtype == np.float32
    assert item.rows(1) == [
        {"subject": "p1", "stimulus": "clip", "lead": "II", "kind": "stimulus", "start": start, "quality": ""}
        for start in (0.0, 10.0, 20.0)
    ]


def test_windows_overlap_by_the_step(make):
    (item,), _ = prepare_person(
        [make("clip", 15, leads=("I",))], Preparation(step=640, normalisation="none", highpass_hz=0)
    )
    assert item.starts.tolist() == [0.0, 2.5, 5.0]
    np.testing.assert_array_equal(item.windows[0, 0, 640:], item.windows[0, 1, :-640])


def test_nothing_is_done_where_nothing_is_asked(make):
    source = make("clip", 20)
    (item,), _ = prepare_person([source], Preparation(normalisation="none", highpass_hz=0))
    np.testing.assert_array_equal(item.windows, source.signal.reshape(2, 2, 2560).astype(np.float32))


def test_a_person_is_normalised_over_all_recordings_per_lead_after_the_filter(make):
    recordings = [make("a", 20), make("b", 30, gain=4.0)]
    items, _ = prepare_person(recordings, Preparation(normalisation="person"))
    joined = np.concatenate([item.windows.reshape(2, -1) for item in items], axis=1).astype(float)
    np.testing.assert_allclose(joined.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(joined.std(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(items[1].windows.std() / items[0].windows.std(), 4.0, rtol=0.05)
    smooth = [high_pass(recording.signal, SFREQ, 0.8) for recording in recordings]
    lead = np.concatenate([part[1] for part in smooth])
    expected = (smooth[0][1, :2560] - lead.mean()) / lead.std()
    np.testing.assert_allclose(items[0].windows[1, 0], expected, atol=1e-5)


def test_a_recording_shorter_than_a_window_is_dropped_with_a_note_but_counts_for_the_person(make):
    preparation = Preparation(normalisation="person")
    alone, _ = prepare_person([make("a", 20)], preparation)
    items, notes = prepare_person([make("a", 20), make("b", 9, gain=10.0)], preparation)
    assert [item.stimulus for item in items] == ["a"]
    assert notes == ["p1 b: 9.0 s, shorter than a window of 10 s"]
    assert items[0].windows.std() < 0.5 * alone[0].windows.std()


def test_baseline_normalisation_needs_no_other_data_of_the_person(make):
    preparation = Preparation(normalisation="baseline")
    rest = make("rest", 20, kind="baseline")
    (_, alone), _ = prepare_person([rest, make("a", 20)], preparation)
    (_, first, _), _ = prepare_person([rest, make("a", 20), make("b", 20, gain=50.0)], preparation)
    np.testing.assert_array_equal(first.windows, alone.windows)


def test_a_short_baseline_still_serves_for_normalisation(make):
    items, notes = prepare_person(
        [make("rest", 8, kind="baseline"), make("a", 20)], Preparation(normalisation="baseline")
    )
    assert [item.stimulus for item in items] == ["a"]
    assert notes == ["p1 rest: 8.0 s, shorter than a window of 10 s"]


def test_a_lead_without_a_baseline_is_dropped_with_a_note(make):
    rest = make("rest", 20, kind="baseline", leads=("I",))
    items, notes = prepare_person([rest, make("a", 20)], Preparation(normalisation="baseline"))
    assert [item.leads for item in items] == [("I",), ("I",)]
    assert notes == ["p1: no baseline recording of lead II to normalise by; choose another normalisation"]
    items, notes = prepare_person([make("a", 20)], Preparation(normalisation="baseline"))
    assert items == []
    assert len(notes) == 2


def test_leads_are_kept_by_name(make):
    recordings = [make("a", 20), make("b", 20, leads=("V5", "I")), make("c", 20, leads=("V5",))]
    items, notes = prepare_person(recordings, Preparation(leads=("I", "II")))
    assert [item.leads for item in items] == [("I", "II"), ("I",)]
    assert items[1].windows.shape == (1, 2, 2560)
    assert notes == ["p1 c: it has the leads V5, none of I, II"]


@pytest.mark.parametrize("normalisation", ["person_trimmed", "person", "window", "baseline", "none"])
def test_a_flat_lead_and_a_missing_one_stay_finite_and_are_flagged(make, normalisation):
    rest, task = make("rest", 20, kind="baseline"), make("task", 20)
    for recording in (rest, task):
        recording.signal[0] = 3.0
        recording.signal[1] = np.nan
    items, _ = prepare_person([rest, task], Preparation(normalisation=normalisation))
    assert len(items) == 2
    for item in items:
        assert np.isfinite(item.windows).all()
        assert item.quality == [["flat+no_beats"] * 2, ["nan+no_beats"] * 2]


def test_a_gap_spoils_its_own_window_only(make):
    whole, gappy = make("a", 40), make("a", 40)
    gappy.signal[0, 2560 + 500 : 2560 + 900] = np.nan
    preparation = Preparation(normalisation="none")
    (expected,), _ = prepare_person([whole], preparation)
    (item,), _ = prepare_person([gappy], preparation)
    assert item.quality == [["", "nan", "", ""], ["", "", "", ""]]
    np.testing.assert_allclose(item.windows[0, [0, 2, 3]], expected.windows[0, [0, 2, 3]], atol=0.1)
    assert np.isfinite(item.windows).all()


def test_other_rates_are_resampled(make):
    items, _ = prepare_person([make("a", 30, sfreq=500.0)], Preparation(normalisation="none", highpass_hz=0))
    expected, _ = prepare_person([make("a", 30)], Preparation(normalisation="none", highpass_hz=0))
    assert items[0].windows.shape == expected[0].windows.shape
    assert np.corrcoef(items[0].windows.ravel(), expected[0].windows.ravel())[0, 1] > 0.98


def test_a_person_without_recordings():
    assert prepare_person([], Preparation()) == ([], [])


def test_quality_does_not_depend_on_how_the_windows_are_made(make):
    recording = make("a", 30)
    recording.signal[0, 2560:5120] = np.random.default_rng(0).normal(size=2560)
    found = [
        prepare_person([recording], Preparation(highpass_hz=highpass, normalisation=normalisation))[0][0].quality
        for highpass, normalisation in [(0.0, "none"), (0.8, "person"), (40.0, "window")]
    ]
    assert found[0] == found[1] == found[2]
    assert [bool(flags) for flags in found[0][0]] == [False, True, False]
