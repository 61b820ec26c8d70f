import numpy as np
import pytest

from ecgtune.data import quality
from ecgtune.data.beat_quality import judge_beats, split_bands
from ecgtune.data.beats import r_peaks
from ecgtune.data.eegmat import open_eegmat
from ecgtune.data.faults import signal_faults
from ecgtune.data.preprocessing import filled, resample
from ecgtune.data.quality import FLAGS, window_flags
from ecgtune.data.wfdb_folder import open_wfdb

SFREQ = 256.0
N_TIMES = 2560


def flags(raw, signal=None, raw_sfreq=SFREQ):
    signal = filled(raw[np.newaxis])[0] if signal is None else signal
    starts = range(0, len(signal) - N_TIMES + 1, N_TIMES)
    return window_flags(signal_faults(raw, raw_sfreq), raw_sfreq, signal, SFREQ, starts, N_TIMES)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 2000.0])
@pytest.mark.parametrize("offset", [0.0, 5.0])
@pytest.mark.parametrize("bpm", [45, 70, 140])
@pytest.mark.parametrize("upside_down", [False, True])
def test_ecg_is_good_in_any_unit_offset_and_polarity(make_ecg, scale, offset, bpm, upside_down):
    assert flags(scale * (make_ecg(60, bpm=bpm, upside_down=upside_down) + offset)) == [""] * 6


def test_mains_hum_and_wander_below_the_beats_are_tolerated_and_above_them_are_not(make_ecg):
    time = np.arange(60 * 256) / SFREQ
    ecg = make_ecg(60)
    assert flags(ecg + 0.1 * np.sin(2 * np.pi * 50 * time) + 2 * np.sin(2 * np.pi * 0.2 * time)) == [""] * 6
    assert flags(ecg + 1.5 * np.sin(2 * np.pi * 50 * time)) == ["noisy"] * 6


def test_each_fault_is_found_in_its_window_and_no_other(make_ecg):
    ecg = make_ecg(70)
    second = round(SFREQ)
    ecg[12 * second] = np.nan
    ecg[25 * second : 27 * second] = 0.123
    ecg[32 * second : 40 * second] = 0.1 * np.sin(np.arange(8 * second) / second)
    ecg[40 * second : 50 * second] += np.random.default_rng(2).normal(size=10 * second)
    assert flags(ecg) == ["", "nan", "flat", "no_beats", "noisy", "", ""]


def test_a_window_can_have_several_flags(make_ecg):
    ecg = make_ecg(30)
    ecg[2560:5120] = 0.0
    ecg[2600] = np.inf
    assert flags(ecg) == ["", "nan+flat+no_beats", ""]


def test_clipping_is_a_stay_at_the_recordings_limit(make_ecg):
    ecg = make_ecg(30, noise=0.0)
    assert flags(np.round(ecg, 3)) == ["", "", ""]
    ecg[2560:5120] *= 4
    assert flags(np.clip(ecg, -10, 0.9))[1] == "clipped"
    assert flags(np.clip(ecg, -0.15, 10))[1] == "clipped"


@pytest.mark.parametrize("raw_sfreq", [128.0, 500.0, 2048.0])
def test_faults_of_the_file_are_mapped_to_windows_of_another_rate(make_ecg, raw_sfreq):
    raw = make_ecg(30, sfreq=raw_sfreq)
    raw[round(12 * raw_sfreq)] = np.nan
    raw[round(22 * raw_sfreq) : round(24 * raw_sfreq)] = raw[round(22 * raw_sfreq)]
    assert flags(raw, make_ecg(30), raw_sfreq) == ["", "nan", "flat"]


@pytest.mark.parametrize("raw", [np.full(5120, np.nan), np.zeros(5120), np.full(5120, 7.0)], ids=["nan", "0", "7"])
def test_a_lead_that_is_off_has_no_good_window(raw):
    assert all(flags(raw))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0], ids=["white", "pink", "brown"])
def test_no_colour_of_noise_is_good(exponent, seed):
    rng = np.random.default_rng(seed)
    frequency = np.maximum(np.fft.rfftfreq(60 * 256, 1 / SFREQ), 1e-2)
    noise = np.fft.irfft(
        (rng.normal(size=len(frequency)) + 1j * rng.normal(size=len(frequency))) / frequency ** (exponent / 2)
    )
    assert all(flags(noise))


def test_an_ectopic_beat_is_not_noise(make_ecg):
    normal, wide = make_ecg(20), np.zeros(20 * 256)
    time = np.arange(len(wide)) / SFREQ
    for beat in (4.5, 9.5, 14.5):  # in the place of a normal beat, broad, tall and the other way round
        normal[round((beat - 0.4) * 256) : round((beat + 0.4) * 256)] = 0.0
        wide -= 2.0 * np.exp(-0.5 * ((time - beat) / 0.04) ** 2)
    assert flags(normal + wide + 0.01 * np.random.default_rng(0).normal(size=len(wide))) == ["", ""]


@pytest.mark.parametrize(
    "peaks",
    [[], [500, 1500], [100, 200, 1700], [1700, 2000, 2400], [100, 200, 300]],
    ids=["none", "two", "a pause between", "a pause before", "a pause after"],
)
def test_few_beats_and_long_pauses(make_ecg, peaks):
    bands = split_bands(make_ecg(10), SFREQ)
    assert judge_beats(bands, np.array(peaks, dtype=np.intp), SFREQ) == "no_beats"


def test_three_beats_without_a_long_pause_are_enough(make_ecg):
    bands = split_bands(make_ecg(10, bpm=20), SFREQ)
    assert judge_beats(bands, np.array([384, 1152, 1920]), SFREQ) == ""


def test_peaks_at_the_very_edges_and_constant_beats_do_not_fail(make_ecg):
    noise = split_bands(np.random.default_rng(0).normal(size=N_TIMES), SFREQ)
    assert judge_beats(noise, np.array([0, 1280, 2559]), SFREQ) == "noisy"
    assert judge_beats(noise, np.arange(0, N_TIMES, 20), SFREQ) == "noisy"
    nothing = split_bands(np.zeros(N_TIMES), SFREQ)
    assert judge_beats(nothing, np.array([500, 1280, 2000]), SFREQ) == "noisy"


@pytest.mark.parametrize(("height", "expected"), [(4.0, ["", "", ""]), (12.0, ["", "noisy", ""])])
def test_what_dwarfs_the_beats_is_an_electrode_that_moves(make_ecg, height, expected):
    ecg, time = make_ecg(30), np.arange(30 * 256) / SFREQ
    assert flags(ecg + height * np.exp(-0.5 * ((time - 15) / 0.15) ** 2)) == expected


def real_flags(recording, row=0):
    signal = resample(recording.signal[[row]], recording.sfreq, SFREQ)[0]
    return flags(recording.signal[row], signal, recording.sfreq)


def test_the_three_eegmat_recordings_without_ecg_are_found_and_the_others_pass(real_data):
    unusable = {("Subject02", "rest"), ("Subject13", "rest"), ("Subject20", "arithmetic")}
    for subject, recordings in open_eegmat(real_data / "eegmat").subjects():
        for recording in recordings:
            found = real_flags(recording)
            if (subject, recording.stimulus) in unusable:
                assert all(found), (subject, recording.stimulus)
            elif (subject, recording.stimulus) == ("Subject11", "rest"):
                assert found == [""] * 17 + ["noisy"]  # an electrode moves: 4.6 mV, where the beats have 0.8
            else:
                assert not any(found), (subject, recording.stimulus, found)


def test_a_second_detector_saves_what_the_fast_one_misses(real_data):
    # Tall T waves in lead V1 of record 111: the fast detector finds a third of the beats.
    (recording,) = next(people for name, people in open_wfdb(real_data / "mitdb").subjects() if name == "111")
    row = recording.leads.index("V1")
    signal = resample(recording.signal[[row]], recording.sfreq, SFREQ)[0]
    fast, thorough = (len(r_peaks(signal, SFREQ, detector)) for detector in ("fast", "thorough"))
    assert fast < 0.5 * thorough
    assert not any(real_flags(recording, row))


@pytest.mark.slow
def test_arrhythmia_is_not_noise(real_data):
    shares = {}
    for subject, recordings in open_wfdb(real_data / "mitdb").subjects():
        for recording in recordings:
            for row, lead in enumerate(recording.leads):
                found = real_flags(recording, row)
                shares[subject, recording.stimulus, lead] = np.mean([bool(flag) for flag in found])
    assert len(shares) == 48
    # The worst is record 207: 10 of 180 windows, most of them ventricular flutter, which has no QRS complex.
    assert max(shares.values()) <= 0.07
    assert np.mean(list(shares.values())) <= 0.01


def test_every_flag_is_explained():
    first_words = [line.split()[0] for line in quality.__doc__.splitlines() if line]
    assert set(FLAGS) <= set(first_words)
