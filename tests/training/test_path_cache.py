"""What was measured before, by machine."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from ecgtune.training import path_cache
from ecgtune.training.path import machine_key


def test_what_is_kept_is_read_again(tmp_path):
    assert path_cache.read(tmp_path) == {}
    path_cache.keep(tmp_path / "new", {"a": {"direct": 1.0}})
    assert path_cache.read(tmp_path / "new") == {"a": {"direct": 1.0}}


@pytest.mark.parametrize("content", ["", "[]", "{", "3"])
def test_a_file_that_says_nothing_is_as_none(tmp_path, content):
    (tmp_path / "convolution.json").write_text(content)
    assert path_cache.read(tmp_path) == {}
    assert not path_cache.is_known(tmp_path)


def test_a_machine_is_known_whose_own_name_is_in_the_file(tmp_path):
    path_cache.keep(tmp_path, {machine_key(): {}})
    assert path_cache.is_known(tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        lambda patch: patch.setattr(path_cache, "processor_name", lambda: "another"),
        lambda patch: patch.setattr(path_cache, "processor_flags", lambda: "avx2"),
        lambda patch: patch.setattr(path_cache, "version", lambda _: "0.1"),
        lambda patch: patch.setattr(path_cache.shutil, "which", lambda _: None),
        lambda patch: patch.setenv("ECGTUNE_COMPILE", "0"),
        lambda patch: patch.setenv("ATEN_CPU_CAPABILITY", "avx2"),
    ],
)
def test_a_machine_is_not_known_by_what_another_one_measured(tmp_path, monkeypatch, other):
    """A home folder may be shared by machines that differ."""
    path_cache.keep(tmp_path, {machine_key(): {}})
    other(monkeypatch)
    assert not path_cache.is_known(tmp_path)


def test_a_process_knows_what_it_has_measured_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    path_cache.keep(tmp_path / "file", {"a": {"direct": 1.0}})
    assert path_cache.read(tmp_path / "file") == {"a": {"direct": 1.0}}


def test_it_is_kept_where_it_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    for place, kept in ((tmp_path, True), (tmp_path / "file", False)):
        assert not path_cache.is_kept(place)
        path_cache.keep(place, {machine_key(): {}})
        assert path_cache.is_known(place)
        assert path_cache.is_kept(place) == kept


@pytest.mark.parametrize(("installed", "uses"), [("2.13.0+cpu", False), ("2.13.0+cu130", True), ("2.13.0", True)])
def test_a_pytorch_for_processors_alone_uses_no_gpu(monkeypatch, installed, uses):
    monkeypatch.setattr(path_cache, "version", lambda _: installed)
    assert path_cache.pytorch_uses_gpus() == uses


def test_pytorch_without_its_papers_has_no_version(monkeypatch):
    def lost(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(path_cache, "version", lost)
    assert path_cache.key("layers").endswith(" | torch of no version | layers")


def test_it_is_read_without_pytorch():
    code = "import sys, ecgtune.training.path_cache; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"
