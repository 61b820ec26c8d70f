import subprocess
import sys

import pytest

from ecgtune.cluster.parcel import pack
from ecgtune.errors import InputError
from ecgtune.space.shipped import shipped_spaces


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_parcel_is_the_package_with_its_spaces_and_nothing_else(tmp_path):
    parcel = pack(tmp_path)
    sent = files(tmp_path)
    assert {"ecgtune/__main__.py", "ecgtune/sweep/drive.py", "ecgtune/search_spaces/pretext.toml"} <= sent
    assert {path.split("/")[0] for path in sent} == {"ecgtune"}
    assert not [path for path in sent if "__pycache__" in path]
    assert parcel.n_files == len(sent)
    assert parcel.n_bytes == sum((tmp_path / path).stat().st_size for path in sent)
    assert f"{len(sent)} files" in str(parcel)


def test_what_is_made_anew_anywhere_and_what_is_hidden_stays_here(tmp_path, monkeypatch):
    package = tmp_path / "ecgtune"
    for name in ("__init__.py", "__main__.py", "__pycache__/a.pyc", "b.pyc", ".secret", ".hidden/c.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).touch()
    monkeypatch.setattr("ecgtune.__file__", str(package / "__init__.py"))
    monkeypatch.setattr("ecgtune.cluster.parcel.shipped_spaces", dict)
    pack(tmp_path / "parcel")
    assert files(tmp_path / "parcel") == {"ecgtune/__init__.py", "ecgtune/__main__.py"}


def test_what_was_sent_runs_by_itself(tmp_path):
    pack(tmp_path)
    code = "import ecgtune, ecgtune.space.shipped as s; print(ecgtune.__file__, *s.shipped_spaces())"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    where, *spaces = ran.stdout.split()
    assert where == str(tmp_path / "ecgtune" / "__init__.py")
    assert spaces == list(shipped_spaces())


def test_a_space_of_the_users_goes_along(tmp_path):
    space = tmp_path / "mine.toml"
    space.write_text("question = '?'")
    pack(tmp_path / "parcel", space)
    assert (tmp_path / "parcel" / "spaces" / "mine.toml").read_text() == "question = '?'"


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("ecgtune/report/*", "ecgtune/report/plots.py"),
        ("plots.py", "ecgtune/report/plots.py"),
        ("report", "ecgtune/report/plots.py"),
    ],
)
def test_excludes_are_honoured(tmp_path, pattern, gone):
    all_of_it = pack(tmp_path / "all")
    less = pack(tmp_path / "less", excludes=[pattern])
    assert gone in files(tmp_path / "all")
    assert gone not in files(tmp_path / "less")
    assert less.n_bytes < all_of_it.n_bytes


@pytest.mark.parametrize("pattern", ["ecgtune/*", "__main__.py", "spaces/*"])
def test_what_the_job_needs_cannot_be_left_out(tmp_path, pattern):
    space = tmp_path / "mine.toml"
    space.write_text("question = '?'")
    with pytest.raises(InputError, match="which the job needs"):
        pack(tmp_path / "parcel", space, [pattern])
