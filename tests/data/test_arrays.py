"""A folder of arrays: what goes in comes out, and every mistake is told at once, with its row."""

import os

import numpy as np
import pytest

from ecgtune.data.arrays import open_arrays
from ecgtune.errors import DataError

ROWS = [
    "file,subject,stimulus,sfreq,kind,leads,target_arousal,target_stress",
    "a/rest.npy,anna,rest,256,baseline,,,",
    "a/film.npy,anna,film,256,,I II,4,1",
    "otto.csv,otto,film,500.5,stimulus,,,0",
]


def table(text):
    return "\n".join(text) + "\n"


def make(folder, rows=ROWS, toml=None):
    rng = np.random.default_rng(0)
    (folder / "a").mkdir(parents=True, exist_ok=True)
    np.save(folder / "a" / "rest.npy", rng.normal(size=3000))
    np.save(folder / "a" / "film.npy", rng.integers(-500, 500, size=(2, 3000)).astype(np.int16))
    np.savetxt(folder / "otto.csv", rng.normal(size=(2600, 3)), delimiter=",", header="I,II,V1", comments="")
    (folder / "manifest.csv").write_text(table(rows))
    if toml is not None:
        (folder / "dataset.toml").write_text(toml)
    return folder


def refused(folder):
    with pytest.raises(DataError) as caught:
        list(open_arrays(folder).subjects())
    return str(caught.value)


def test_recordings_come_back_with_their_rows(tmp_path):
    folder = make(tmp_path / "mine")
    reader = open_arrays(folder)
    people = {subject: list(recordings) for subject, recordings in reader.subjects()}
    assert (reader.name, reader.n_subjects, reader.notes) == ("mine", 2, [])
    assert [path.name for path in reader.sources] == ["manifest.csv", "rest.npy", "film.npy", "otto.csv"]
    assert [(t.name, t.threshold) for t in reader.targets] == [("arousal", 0.5), ("stress", 0.5)]
    rest, film = people["anna"]
    [other] = people["otto"]
    np.testing.assert_array_equal(rest.signal, np.load(folder / "a" / "rest.npy")[None])
    np.testing.assert_array_equal(film.signal, np.load(folder / "a" / "film.npy"))
    np.testing.assert_allclose(other.signal.T, np.loadtxt(folder / "otto.csv", delimiter=",", skiprows=1))
    assert (rest.kind, rest.labels, rest.leads) == ("baseline", {}, ("ecg",))
    assert (film.kind, film.labels, film.leads) == ("stimulus", {"arousal": 4, "stress": 1}, ("I", "II"))
    assert (other.sfreq, other.leads, other.stimulus) == (500.5, ("I", "II", "V1"), "film")
    assert np.isnan(other.labels["arousal"])
    assert other.labels["stress"] == 0


def test_the_description_sets_name_thresholds_and_texts(tmp_path):
    toml = 'name = "lab-1"\n[targets.arousal]\nthreshold = 3\ndescription = "1 to 5"\n'
    reader = open_arrays(make(tmp_path, toml=toml))
    assert reader.name == "lab-1"
    assert [(t.name, t.threshold, t.description) for t in reader.targets] == [
        ("arousal", 3.0, "1 to 5"),
        ("stress", 0.5, ""),
    ]
    assert tmp_path / "dataset.toml" in reader.sources


def test_four_columns_suffice(tmp_path):
    reader = open_arrays(make(tmp_path, ["stimulus,sfreq,subject,file", "x,100,p,otto.csv", "x,100,q,a/film.npy"]))
    people = dict(reader.subjects())
    assert reader.targets == ()
    assert people["p"][0].labels == {}
    assert people["q"][0].leads == ("lead1", "lead2")


def test_csv_without_names_and_with_one_lead(tmp_path):
    make(tmp_path, [ROWS[0], "x.csv,p,s,100,,,,"])
    (tmp_path / "x.csv").write_text("1\n2\nnan\n4.5\n")
    [(_, [recording])] = open_arrays(tmp_path).subjects()
    np.testing.assert_array_equal(recording.signal, [[1, 2, np.nan, 4.5]])
    assert recording.leads == ("ecg",)


def test_a_sheet_saved_by_a_spreadsheet_program_opens(tmp_path):
    make(tmp_path)
    (tmp_path / "manifest.csv").write_bytes(b"\xef\xbb\xbf" + table(ROWS).replace("\n", "\r\n").encode())
    (tmp_path / "otto.csv").write_bytes(b"\xef\xbb\xbf1,2\r\n3,4\r\n5,6\r\n")
    assert dict(open_arrays(tmp_path).subjects())["otto"][0].signal.tolist() == [[1, 3, 5], [2, 4, 6]]


def test_all_mistakes_of_a_manifest_are_told_at_once(tmp_path):
    rows = [
        ROWS[0] + ",colour",
        "a/rest.npy,,rest,256,baseline,,,,",
        "a/film.npy,anna,film,fast,holiday,I I,4,high,",
        "none.npy,otto,film,-1,,,,,",
        "otto.csv,otto,film,500,baseline,,3,,",
        "otto.csv,otto,,inf,,,inf,,",
        "otto.txt,otto,film,500,,,,,,,9",
    ]
    toml = "colour = 1\n[targets.joy]\n[targets.stress]\nthreshold = 'high'\nlimit = 3\n"
    message = refused(make(tmp_path, rows, toml))
    for part in [
        "19 mistakes", "the column 'colour' is unknown", "row 2: subject is empty", "row 3: sfreq is 'fast'",
        "row 3: kind is 'holiday'; choose stimulus or baseline", "row 3: leads names one lead twice",
        "row 3: target_stress is 'high'", "row 4: the file none.npy does not exist", "row 4: sfreq is '-1'",
        "row 5: target_arousal is '3', but a baseline carries no score", "row 6: the file otto.csv is in row 5 already",
        "row 6: stimulus is empty", "row 6: sfreq is 'inf'", "row 6: target_arousal is 'inf'",
        "row 7: it has more cells than the header", "row 7: the file otto.txt is neither .npy nor .csv",
        "dataset.toml: the key 'colour' is unknown", "the target 'joy' has no column target_joy",
        "targets.stress: threshold is 'high'", "targets.stress: the key 'limit' is unknown",
    ]:  # fmt: skip
        assert part in message, (part, message)


@pytest.mark.parametrize("name", ["../secret.npy", "a/../../secret.npy", "{absolute}", "link.npy"])
def test_a_file_outside_the_folder_is_refused(tmp_path, name):
    folder = make(tmp_path / "set")
    secret = tmp_path / "secret.npy"
    np.save(secret, np.zeros(3000))
    (folder / "link.npy").symlink_to(secret)
    name = name.format(absolute=secret)
    (folder / "manifest.csv").write_text(table([ROWS[0], f"{name},p,s,256,,,,"]))
    assert "lies outside the folder" in refused(folder)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


BOMB = np.array([Bomb()], dtype=object)
BAD_ARRAYS = {
    "three dimensions": (np.zeros((2, 2, 2)), "has the shape (2, 2, 2)"),
    "no dimension": (np.float64(3), "has the shape ()"),
    "no sample": (np.zeros((2, 0)), "has the shape (2, 0)"),
    "turned": (np.zeros((3000, 2)), "(3000, 2), with more leads than times"),
    "one lead less": (np.zeros((1, 3000)), "has 1 leads, and the manifest names 2"),
    "text": (np.array(["a", "b"]), "does not hold real numbers"),
    "complex": (np.zeros(3000, dtype=complex), "does not hold real numbers"),
    "objects": (BOMB, "Python objects"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_other_arrays_are_refused(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    array, message = BAD_ARRAYS[case]
    folder = make(tmp_path / "set")
    np.save(folder / "a" / "film.npy", array)
    assert message in refused(folder)
    assert "row 3" in refused(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as an .npy file"),
        (b"text", "cannot be read as an .npy file"),
        (b"\x80\x04K\x01.", "cannot be read as an .npy file"),
        (b"\x93NUMPY\x01\x00", "cannot be read as an .npy file"),
    ],
)
def test_files_that_are_no_arrays_are_refused(tmp_path, content, message):
    (make(tmp_path) / "a" / "film.npy").write_bytes(content)
    assert message in refused(tmp_path)


def test_a_zip_of_arrays_is_refused(tmp_path):
    folder = make(tmp_path)
    np.savez(folder / "a" / "film.npz", np.zeros(3000))
    (folder / "a" / "film.npz").rename(folder / "a" / "film.npy")
    assert "cannot be read as an .npy file" in refused(folder)


def test_a_truncated_array_is_refused(tmp_path):
    path = make(tmp_path) / "a" / "film.npy"
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{path} cannot be read" in refused(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 rows"),
        ("I,II\n", "0 rows"),
        ("1,2\n3\n", "cannot be read as a table of numbers"),
        ("1,2\n3,x\n5,6\n", "cannot be read as a table of numbers"),
        ("I,I\n1,2\n3,4\n", "with different names"),
        ("I,II,III\n1,2\n3,4\n", "2 columns"),
        ("1,2,3,4,5\n1,2,3,4,5\n", "2 rows and 5 columns"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_other_tables_are_refused(tmp_path, text, message):
    (make(tmp_path) / "otto.csv").write_text(text)
    assert message in refused(tmp_path)


def test_a_table_with_other_leads_than_named_is_refused(tmp_path):
    make(tmp_path, [ROWS[0], "otto.csv,otto,film,500,,I II,,"])
    assert "has 3 columns, and the manifest names 2 leads" in refused(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "has no manifest.csv"),
        ("", "lacks the columns file, subject, stimulus, sfreq"),
        ("file;subject;stimulus;sfreq\n", "lacks the columns file, subject, stimulus, sfreq"),
        ("file,subject,stimulus\n", "lacks the columns sfreq"),
        ("file,subject,stimulus,sfreq\n", "it has no rows"),
        ("file,subject,stimulus,sfreq,file\na/rest.npy,p,s,1,x\n", "is there twice"),
        ("file,subject,stimulus,sfreq,target_\na/rest.npy,p,s,1,x\n", "lacks a name"),
    ],
)
def test_other_manifests_are_refused(tmp_path, text, message):
    make(tmp_path)
    (tmp_path / "manifest.csv").unlink()
    if text is not None:
        (tmp_path / "manifest.csv").write_text(text)
    assert message in refused(tmp_path)


def test_a_manifest_that_is_no_text_is_refused(tmp_path):
    make(tmp_path)
    (tmp_path / "manifest.csv").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read as a CSV file" in refused(tmp_path)
    assert "is not a folder" in refused(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("name = ", "dataset.toml: "),
        ("name = 3", "name is 3; a text is expected"),
        ("name = '../up'", "cannot be used for a data set"),
        ("targets = 3", "targets is 3"),
        ("targets.arousal = 3", "targets.arousal is 3; a table is expected"),
        ("targets.arousal.threshold = true", "threshold is True; a number is expected"),
        ("targets.arousal.threshold = nan", "threshold is nan"),
        ("targets.arousal.description = 3", "description is 3; a text is expected"),
    ],
)
def test_other_descriptions_are_refused(tmp_path, toml, message):
    assert message in refused(make(tmp_path, toml=toml))
