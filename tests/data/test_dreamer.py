"""DREAMER: every value where it belongs, and one message for each way the file can be wrong."""

import numpy as np
import pytest
import scipy.io

from ecgtune.data.dreamer import open_dreamer
from ecgtune.data.synthetic.dreamer import write_dreamer
from ecgtune.errors import DataError

CLIPS = 3


def column(items):
    cell = np.empty((len(items), 1), dtype=object)
    for number, item in enumerate(items):
        cell[number, 0] = item
    return cell


def signal(person, part, clip, n_times=2600):
    return (
        1000 * (person + 1) + 100 * (part == "stimuli") + 10 * clip + np.arange(2 * n_times).reshape(n_times, 2) / 1e4
    )


def person(number):
    parts = {part: column([signal(number, part, clip) for clip in range(CLIPS)]) for part in ("baseline", "stimuli")}
    return {
        "Age": "22",
        "Gender": "male",
        "EEG": {part: column([np.zeros((100, 14))] * CLIPS) for part in parts},
        "ECG": parts,
        # Different in every column and person, so that no mix-up can go unseen.
        "ScoreValence": np.array([[1], [2], [3]], dtype=np.uint8),
        "ScoreArousal": np.array([[4], [5], [1 + number]], dtype=np.uint8),
        "ScoreDominance": np.array([[5], [1], [2]], dtype=np.uint8),
    }


def save(path, *, people=2, change=None, name="DREAMER", compress=True):
    persons = [person(number) for number in range(people)]
    content = {"EEG_SamplingRate": 128, "ECG_SamplingRate": 256, "noOfSubjects": people, "Disclaimer": "none"}
    if change is not None:
        change(persons, content)
    data = np.empty((1, len(persons)), dtype=object)
    for number, one in enumerate(persons):
        data[0, number] = one
    scipy.io.savemat(path, {name: {"Data": data, **content}}, do_compression=compress)
    return path


def read(path):
    reader = open_dreamer(path)
    return reader, {subject: {(r.kind, r.stimulus): r for r in recordings} for subject, recordings in reader.subjects()}


@pytest.mark.parametrize("compress", [False, True])
def test_every_signal_and_label_is_where_it_belongs(tmp_path, compress):
    reader, people = read(save(tmp_path / "D.mat", compress=compress))
    assert (reader.name, reader.n_subjects, reader.sources, reader.notes) == ("dreamer", 2, (tmp_path / "D.mat",), [])
    assert [target.name for target in reader.targets] == ["arousal", "valence", "dominance"]
    assert {target.threshold for target in reader.targets} == {3.0}
    assert list(people) == ["01", "02"]
    for number, recordings in enumerate(people.values()):
        assert len(recordings) == 2 * CLIPS
        for clip in range(CLIPS):
            for part, kind in (("baseline", "baseline"), ("stimuli", "stimulus")):
                recording = recordings[kind, f"clip{clip + 1:02d}"]
                np.testing.assert_array_equal(recording.signal, signal(number, part, clip).T)
                assert (recording.sfreq, recording.leads) == (256.0, ("lead1", "lead2"))


def test_valence_is_not_read_from_the_dominance_column(tmp_path):
    """A public reading of DREAMER took valence from ScoreDominance."""
    _, people = read(save(tmp_path / "D.mat"))
    labels = [people["02"]["stimulus", f"clip{clip:02d}"].labels for clip in (1, 2, 3)]
    assert [label["valence"] for label in labels] == [1, 2, 3]
    assert [label["arousal"] for label in labels] == [4, 5, 2]
    assert [label["dominance"] for label in labels] == [5, 1, 2]


def test_baselines_carry_no_labels(tmp_path):
    _, people = read(save(tmp_path / "D.mat"))
    assert all(not r.labels for (kind, _), r in people["01"].items() if kind == "baseline")


def test_unsigned_scores_do_not_wrap_around(tmp_path):
    _, people = read(save(tmp_path / "D.mat"))
    score = people["01"]["stimulus", "clip01"].labels["valence"]
    assert isinstance(score, float)
    assert score - 3 == -2


def test_a_missing_rating_stays_missing_and_is_noted(tmp_path):
    def change(persons, content):
        persons[1]["ScoreArousal"] = np.array([[4.0], [np.nan], [2.0]])

    reader, people = read(save(tmp_path / "D.mat", change=change))
    labels = people["02"]["stimulus", "clip02"].labels
    assert np.isnan(labels["arousal"])
    assert labels["valence"] == 2
    assert reader.notes == ["person 02: no arousal rating of clip02; kept without it."]


def test_fields_in_another_order_and_strange_ones_do_no_harm(tmp_path):
    def change(persons, content):
        persons[0] = {"Extra": {"ECG": 1}, **dict(reversed(persons[0].items()))}

    plain, changed = (read(save(tmp_path / f"{c}.mat", change=c))[1] for c in (None, change))
    for key, recording in plain["01"].items():
        np.testing.assert_array_equal(recording.signal, changed["01"][key].signal)
        assert recording.labels == changed["01"][key].labels


def test_other_variables_are_ignored(tmp_path):
    path = save(tmp_path / "D.mat")
    held = scipy.io.loadmat(path)
    scipy.io.savemat(path, {"before": {"Data": 1}, "DREAMER": held["DREAMER"], "later": np.eye(3)})
    assert len(read(path)[1]) == 2


def _set(key, value, *, of=1):
    def change(persons, content):
        persons[of][key] = value

    return change


def _content(**values):
    def change(persons, content):
        content.update(values)

    return change


def _drop(key, *, frame=False):
    def change(persons, content):
        del (content if frame else persons[1])[key]

    return change


def _ecg(part, clips):
    def change(persons, content):
        persons[1]["ECG"] = {**persons[1]["ECG"], part: column(clips)}

    return change


def _several(persons, content):
    content["ECG_SamplingRate"] = 128
    del persons[0]["ECG"]
    persons[1]["ScoreArousal"] = np.ones((2, 1))


GOOD = [np.ones((2600, 2))] * CLIPS
WRONG = {
    "no rate": (_drop("ECG_SamplingRate", frame=True), ["no ECG_SamplingRate; 256"]),
    "another rate": (_content(ECG_SamplingRate=128), ["ECG_SamplingRate is 128 Hz", "has 256 Hz"]),
    "rate 0": (_content(ECG_SamplingRate=0), ["ECG_SamplingRate is 0 Hz"]),
    "rate NaN": (_content(ECG_SamplingRate=np.nan), ["ECG_SamplingRate is nan Hz"]),
    "rate a word": (_content(ECG_SamplingRate="fast"), ["ECG_SamplingRate is no number"]),
    "two rates": (_content(ECG_SamplingRate=[256, 256]), ["ECG_SamplingRate is no number"]),
    "no ECG": (_drop("ECG"), ["Data{2} has no struct ECG", "Age, Gender, EEG, Score"]),
    "ECG a matrix": (_set("ECG", np.ones((5, 2))), ["Data{2} has no struct ECG"]),
    "no stimuli": (_set("ECG", {"baseline": column(GOOD)}), ["3 cells in baseline and 0 cells in stimuli"]),
    "fewer baselines": (_ecg("baseline", GOOD[:2]), ["2 cells in baseline and 3 cells in stimuli"]),
    "one lead": (_ecg("stimuli", [*GOOD[:2], np.ones((2600, 1))]), ["Data{2}.ECG.stimuli{3} is 2600 x 1"]),
    "leads in rows": (_ecg("baseline", [np.ones((2, 2600)), *GOOD[:2]]), ["baseline{1} is 2 x 2600", "N x 2"]),
    "empty clip": (_ecg("stimuli", [*GOOD[:2], np.ones((0, 2))]), ["stimuli{3} is 0 x 2"]),
    "text clip": (_ecg("stimuli", [*GOOD[:2], "ab"]), ["stimuli{3} is 1 x 2 (char)"]),
    "no valence": (_drop("ScoreValence"), ["Data{2} has no numbers ScoreValence"]),
    "too few scores": (_set("ScoreDominance", np.ones((2, 1))), ["ScoreDominance has 2 scores for 3 clips"]),
    "score 0": (_set("ScoreArousal", np.array([[0], [3], [3]])), ["ScoreArousal has the score 0", "from 1 to 5"]),
    "score 9": (_set("ScoreArousal", np.array([[2], [9], [3]])), ["ScoreArousal has the score 9"]),
    "score infinite": (_set("ScoreArousal", np.array([[2], [np.inf], [3]])), ["ScoreArousal has the score"]),
    "person a number": (lambda persons, content: persons.__setitem__(1, 7), ["Data{2} has no struct ECG", "none"]),
    "no people": (lambda persons, content: persons.clear(), ["no cell array Data", "EEG_SamplingRate"]),
    "several": (_several, ["3 mistakes", "128 Hz", "Data{1} has no struct ECG", "2 scores for 3 clips"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_another_structure_is_refused(tmp_path, case):
    change, parts = WRONG[case]
    path = save(tmp_path / "D.mat", change=change)
    with pytest.raises(DataError) as caught:
        open_dreamer(path)
    assert str(path) in str(caught.value)
    assert all(part in str(caught.value) for part in parts), caught.value


@pytest.mark.parametrize(
    ("variables", "found"), [({"AMIGOS": {"Data": 1}, "x": 2}, "it has: AMIGOS, x"), ({}, "it has: nothing")]
)
def test_a_file_without_dreamer_is_refused(tmp_path, variables, found):
    path = tmp_path / "D.mat"
    scipy.io.savemat(path, variables)
    with pytest.raises(DataError, match=found):
        open_dreamer(path)


def test_dreamer_that_is_no_struct_is_refused(tmp_path):
    path = tmp_path / "D.mat"
    scipy.io.savemat(path, {"DREAMER": np.ones((3, 3))})
    with pytest.raises(DataError, match="no cell array Data .* its fields are: none"):
        open_dreamer(path)


def test_reading_holds_one_person_at_a_time(tmp_path):
    import tracemalloc

    path = tmp_path / "D.mat"
    write_dreamer(path, subjects=5, minutes=12, eeg=False)
    reader = open_dreamer(path)
    of_a_person = sum(r.signal.nbytes for r in next(reader.subjects())[1])
    tracemalloc.start()
    assert sum(1 for _ in reader.subjects()) == 5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The one that was given out, the one being read, and the buffers.
    assert peak < 2.2 * of_a_person + (3 << 20)
