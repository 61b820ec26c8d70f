import errno
from pathlib import Path

import pytest

from ecgtune.errors import InputError, StorageError
from ecgtune.files import recover_folder, replaced, replaced_folder, sha256, write_json, write_text


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(StorageError, match="no space left on device.*free some space"):
        write_text(path, "new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_other_errors_pass_through(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), replaced(tmp_path / "a"):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_made_is_one_message(tmp_path: Path):
    """A file among the folders above it, or a folder that takes no files, as those of the kernel."""
    file = tmp_path / "file"
    file.write_text("kept")
    for place in (file / "new", file / "deep" / "new", Path("/proc/new"), tmp_path / ("n" * 300)):
        for write in (replaced, replaced_folder):
            told = f"cannot write below {place.parent}: .*untouched; choose another folder"
            with pytest.raises(StorageError, match=told), write(place):
                pytest.fail("nothing is to be written")
    assert file.read_text() == "kept"


def test_a_failure_that_is_not_the_places_passes_through(tmp_path: Path, monkeypatch):
    """As where a worker has too many files open: another place would not help."""

    def too_many(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("tempfile.mkstemp", too_many)
    with pytest.raises(OSError, match="Too many open files"), replaced(tmp_path / "new"):
        pytest.fail("nothing is to be written")


def test_what_a_writer_itself_does_wrong_passes_through(tmp_path: Path):
    for write in (replaced, replaced_folder):
        with pytest.raises(FileNotFoundError), write(tmp_path / "new"):
            (tmp_path / "absent").read_text()


def test_a_folder_is_whole_or_absent(tmp_path: Path):
    path = tmp_path / "set"
    with pytest.raises(RuntimeError), replaced_folder(path) as temporary:
        (temporary / "half").write_text("")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with replaced_folder(path) as temporary:
        (temporary / "whole").write_text("1")
    with pytest.raises(InputError, match="exists already.*--overwrite"), replaced_folder(path):
        pass
    assert (path / "whole").read_text() == "1"
    with replaced_folder(path, overwrite=True) as temporary:
        (temporary / "newer").write_text("2")
    assert [p.name for p in path.iterdir()] == ["newer"]
    assert list(tmp_path.iterdir()) == [path]


def test_an_overwrite_that_fails_keeps_the_old_folder(tmp_path: Path):
    path = tmp_path / "set"
    with replaced_folder(path) as temporary:
        (temporary / "old").write_text("1")
    with pytest.raises(StorageError), replaced_folder(path, overwrite=True):
        full_disk()
    assert [p.name for p in path.iterdir()] == ["old"]


def test_json_refuses_nan(tmp_path: Path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_sha256(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_moved_aside_by_a_writer_that_died_comes_back(tmp_path):
    """Between its two moves the old folder lies aside, and the new one beside it."""
    place, aside = tmp_path / "best", tmp_path / ".best.abc.old"
    recover_folder(place)
    assert not place.exists()
    aside.mkdir()
    (aside / "a").write_text("old")
    (tmp_path / ".best.abc").mkdir()
    recover_folder(place)
    assert (place / "a").read_text() == "old"
    assert not aside.exists()


def test_a_folder_in_its_place_is_left_alone(tmp_path):
    place, aside = tmp_path / "best", tmp_path / ".best.abc.old"
    place.mkdir()
    aside.mkdir()
    recover_folder(place)
    assert place.is_dir()
    assert aside.is_dir()
