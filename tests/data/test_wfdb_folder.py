"""WFDB folders: what is found, who is whom, and one message for each way a folder can be broken."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgtune.data.wfdb_folder import open_wfdb
from ecgtune.errors import DataError


def write(
    folder: Path, name: str = "a", *, n_times: int = 3000, fs: float = 360, fmt="16", leads=("I", "II"), units=None
):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(name))
    signal = np.cumsum(rng.normal(size=(n_times, len(leads))), axis=0) / 100
    wfdb.wrsamp(
        name, fs=fs, units=list(units or ["mV"] * len(leads)), sig_name=list(leads),
        p_signal=signal, fmt=[fmt] * len(leads), write_dir=str(folder),
    )  # fmt: skip
    return signal


def read(folder, **options):
    reader = open_wfdb(folder, **options)
    return reader, {subject: list(recordings) for subject, recordings in reader.subjects()}


@pytest.mark.parametrize("fmt", ["16", "24", "32", "80", "212"])
def test_signal_comes_back_as_written(tmp_path, fmt):
    signal = write(tmp_path / "my set", "x", fmt=fmt)
    reader, people = read(tmp_path / "my set")
    [recording] = people["x"]
    step = np.ptp(signal) / {"80": 200, "212": 4000}.get(fmt, 60000)
    np.testing.assert_allclose(recording.signal, signal.T, atol=step)
    assert (recording.sfreq, recording.leads, recording.kind, recording.labels) == (360, ("I", "II"), "stimulus", {})
    assert (reader.name, reader.targets, reader.n_subjects, reader.notes) == ("my-set", (), 1, [])
    assert [path.name for path in reader.sources] == ["x.hea", "x.dat"]


def test_sub_folders_keep_records_of_one_name_apart(tmp_path):
    for sub in ("p1", "p2"):
        write(tmp_path / sub, "rest")
    _, people = read(tmp_path)
    assert list(people) == ["p1/rest", "p2/rest"]


def test_units_other_than_millivolt_are_noted_and_kept(tmp_path):
    write(tmp_path, leads=("II", "RESP"), units=("mV", "Ohm"))
    reader, people = read(tmp_path)
    assert people["a"][0].leads == ("II", "RESP")
    assert "Ohm (1 leads)" in reader.notes[0]


def test_leads_of_one_name_are_told_apart(tmp_path):
    write(tmp_path, leads=("I", "II"))
    header = tmp_path / "a.hea"
    header.write_text(header.read_text().replace(" II\n", " I\n"))
    assert read(tmp_path)[1]["a"][0].leads == ("I", "I2")


def test_subjects_file_joins_records(tmp_path):
    for name in ("a", "b", "c"):
        write(tmp_path, name)
    table = tmp_path / "who.csv"
    table.write_text("record,subject\nb,anna\na,anna\nc,otto\n")
    reader, people = read(tmp_path, subjects=table)
    assert {s: [r.stimulus for r in rs] for s, rs in people.items()} == {"anna": ["a", "b"], "otto": ["c"]}
    assert {r.subject for r in people["anna"]} == {"anna"}
    assert reader.n_subjects == 2
    assert table in reader.sources


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("record,person\na,x\n", ["needs `record` and `subject`"]),
        ("", ["none"]),
        ("record,subject\nz,x\na,\na,y\na,z\n",
         ["4 mistakes", "row 2", "'z'", "row 3", "row 5: a was given to y", "record b has no row"]),
        (None, ["cannot be read"]),
    ],
)  # fmt: skip
def test_wrong_subjects_file_is_refused_with_all_mistakes(tmp_path, text, parts):
    write(tmp_path, "a")
    write(tmp_path, "b")
    table = tmp_path / "who.csv"
    if text is not None:
        table.write_text(text)
    with pytest.raises(DataError) as caught:
        open_wfdb(tmp_path, subjects=table)
    assert all(part in str(caught.value) for part in parts), caught.value


@pytest.mark.parametrize(("n_times", "together"), [(650_000, True), (649_999, False)])
def test_mitdb_201_and_202_are_one_person_whatever_the_folder(tmp_path, n_times, together):
    for name in ("201", "202", "203"):
        (tmp_path / f"{name}.hea").write_text(f"{name} 1 360 {n_times}\n{name}.dat 80 100 8 0 0 0 0 II\n")
        (tmp_path / f"{name}.dat").write_bytes(bytes([128]) * n_times)
    reader = open_wfdb(tmp_path)
    assert list(reader.people) == (["201", "203"] if together else ["201", "202", "203"])
    if together:
        assert len(reader.people["201"]) == 2
        assert "201 and 202" in reader.notes[0]


@pytest.mark.parametrize("gap", [0, 50])
def test_segments_belong_to_their_record(tmp_path, gap):
    first, second = write(tmp_path, "s_1", n_times=400), write(tmp_path, "s_2", n_times=300)
    if gap:
        (tmp_path / "s_0.hea").write_text("s_0 2 360 0\n~ 0 200 16 0 0 0 0 I\n~ 0 200 16 0 0 0 0 II\n")
        (tmp_path / "s.hea").write_text(f"s/4 2 360 {700 + gap}\ns_0 0\ns_1 400\n~ {gap}\ns_2 300\n")
    else:
        (tmp_path / "s.hea").write_text("s/2 2 360 700\ns_1 400\ns_2 300\n")
    _, people = read(tmp_path)
    [recording] = people["s"]
    assert list(people) == ["s"]
    np.testing.assert_allclose(recording.signal[:, :400], first.T, atol=1e-3)
    assert np.isnan(recording.signal[:, 400 : 400 + gap]).all()
    np.testing.assert_allclose(recording.signal[:, 400 + gap :], second.T, atol=1e-3)
    (tmp_path / "s_2.hea").unlink()
    with pytest.raises(DataError, match=r"segment s_2, which has no \.hea"):
        open_wfdb(tmp_path)


def test_header_without_signals_is_left_out_with_a_note(tmp_path):
    write(tmp_path)
    (tmp_path / "info.hea").write_text("info 0 360 1000\n")
    reader, people = read(tmp_path)
    assert list(people) == ["a"]
    assert "info: left out" in reader.notes[0]
    (tmp_path / "a.hea").unlink()
    with pytest.raises(DataError, match="none of them names a signal"):
        open_wfdb(tmp_path)


def _remove(folder):
    (folder / "a.dat").unlink()


def _cut(folder):
    (folder / "a.dat").write_bytes((folder / "a.dat").read_bytes()[:-2])


def _empty(folder):
    (folder / "a.dat").write_bytes(b"")


def _no_folder(folder):
    shutil.rmtree(folder)


def _no_record(folder):
    for path in folder.iterdir():
        path.unlink()


def _header(text):
    return lambda folder: (folder / "a.hea").write_bytes(text)


BROKEN = {
    "missing signal file": (_remove, "names the signal file a.dat, which is missing"),
    "truncated signal file": (_cut, "12000 bytes in a.dat, which has 11998: it is truncated"),
    "empty signal file": (_empty, "which has 0: it is truncated"),
    "no folder": (_no_folder, "is not a folder"),
    "empty folder": (_no_record, "has no WFDB record"),
    "empty header": (_header(b""), "a.hea is not a WFDB header"),
    "binary header": (_header(b"\x00\xff\xfe"), "a.hea is not a WFDB header"),
    "signals not described": (_header(b"a 2 360 3000\n"), "announces 2 signals and describes none"),
    "rate of zero": (_header(b"a 1 0 3000\na.dat 16\n"), "sampling rate 0 Hz"),
    "unknown format": (_header(b"a 1 360 3000\na.dat 99\n"), "unknown signal format 99"),
    "file outside": (_header(b"a 1 360 3000\n../a.dat 16\n"), "a.hea is not a WFDB header"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_folder_is_refused(tmp_path, case):
    folder = tmp_path / "set"
    write(folder)
    spoil, message = BROKEN[case]
    spoil(folder)
    with pytest.raises(DataError) as caught:
        open_wfdb(folder)
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)


def test_all_broken_records_are_told_at_once(tmp_path):
    for name in ("a", "b", "c"):
        write(tmp_path, name)
    _remove(tmp_path)
    (tmp_path / "b.dat").write_bytes(b"")
    with pytest.raises(DataError, match="2 mistakes") as caught:
        open_wfdb(tmp_path)
    assert "c." not in str(caught.value)


def test_signal_that_the_library_cannot_read_is_refused(tmp_path):
    write(tmp_path)
    reader = open_wfdb(tmp_path)
    _empty(tmp_path)
    with pytest.raises(DataError, match="signals cannot be read"):
        list(reader.subjects())


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "x" * 65, "a\n"])
def test_name_with_other_characters_is_refused(tmp_path, name):
    write(tmp_path)
    with pytest.raises(DataError, match="cannot be used for a data set"):
        open_wfdb(tmp_path, name=name)
    assert open_wfdb(tmp_path, name="good-name_1.0").name == "good-name_1.0"


def test_folder_without_a_usable_name_gets_the_default(tmp_path):
    write(tmp_path / "データ")
    assert open_wfdb(tmp_path / "データ").name == "wfdb"


def test_real_mitdb(real_data):
    reader = open_wfdb(real_data / "mitdb")
    assert (reader.name, reader.n_subjects) == ("mitdb", 24)
    subject, [recording] = next(reader.subjects())
    assert (subject, recording.leads, recording.sfreq, recording.signal.shape) == (
        "100",
        ("MLII", "V5"),
        360,
        (2, 650_000),
    )
    # The first two samples as the header gives them: 995 and 1011 in units of 1/200 mV around 1024.
    np.testing.assert_allclose(recording.signal[:, 0], [(995 - 1024) / 200, (1011 - 1024) / 200], atol=1e-6)
