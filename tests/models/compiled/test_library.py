"""Compiling the library: once, where there is a compiler; nothing goes wrong where there is none."""

import subprocess

import pytest
import torch

from ecgtune.models import compiled
from ecgtune.models.compiled import library

needs_compiler = pytest.mark.skipif(not compiled.available(torch.float32), reason="this machine has no C compiler")


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty cache, and nothing loaded; gives the list of what is compiled."""
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "cache"))
    library._loaded.cache_clear()
    done, compile_it = [], library._compile
    monkeypatch.setattr(library, "_compile", lambda command, to: done.append(command) or compile_it(command, to))
    yield done
    library._loaded.cache_clear()


@needs_compiler
def test_it_is_compiled_once_per_type_and_kept(fresh, tmp_path):
    for _ in range(2):
        for dtype in (torch.bfloat16, torch.float32):
            assert compiled.available(dtype)
            assert library.library(dtype).forward_in
        library._loaded.cache_clear()
    assert len(fresh) == 2
    assert len([*(tmp_path / "cache" / "compiled").iterdir()]) == 2


@pytest.mark.slow
@needs_compiler
def test_another_compiler_or_processor_is_compiled_for_anew(fresh, monkeypatch):
    assert compiled.available(torch.float32)
    for change in (lambda: monkeypatch.setenv("CC", "cc -DOTHER"),
                   lambda: monkeypatch.setattr(library, "processor_flags", lambda: "other")):  # fmt: skip
        change()
        library._loaded.cache_clear()
        assert compiled.available(torch.float32)
    assert len(fresh) == 3


@needs_compiler
def test_a_cache_that_cannot_be_written_stops_nobody(fresh, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "file"))
    assert compiled.why_not(torch.float32) == ""


@pytest.mark.parametrize(("code", "tries"), [(-2, 1), (1, 2)])
def test_a_compiler_that_was_killed_is_not_asked_again(fresh, monkeypatch, code, tries):
    asked = []

    def fail(command, to):
        asked.append(command)
        raise subprocess.CalledProcessError(code, command, stderr="")

    monkeypatch.setattr(library, "_compile", fail)
    monkeypatch.setenv("CC", "python3")
    assert f"exit code {code}" in compiled.why_not(torch.float32)
    assert len(asked) == tries


def kept_in(tmp_path):
    (file,) = (tmp_path / "cache" / "compiled").glob("*.so")
    return file


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("damage", [lambda file: file[:999], lambda file: file[: len(file) // 2], lambda file: b"",
                                    lambda file: file[:-9000] + bytes(9000)])  # fmt: skip
def test_what_is_broken_in_the_cache_is_compiled_again(damage, fresh, tmp_path):
    assert compiled.available(torch.float32)
    file = kept_in(tmp_path)
    content = file.read_bytes()
    file.unlink()  # it is in use
    file.write_bytes(damage(content))
    library._loaded.cache_clear()
    assert compiled.why_not(torch.float32) == ""
    assert len(fresh) == 2
    assert kept_in(tmp_path).read_bytes() == content


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("of", ["file", "folder"])
def test_what_others_can_write_is_not_run(of, fresh, tmp_path):
    assert compiled.available(torch.float32)
    file = kept_in(tmp_path)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    (file if of == "file" else file.parent).chmod(0o777)
    library._loaded.cache_clear()
    assert compiled.available(torch.float32)
    assert len(fresh) == 2
    assert library._is_ours(kept_in(tmp_path))


@needs_compiler
def test_what_belongs_to_others_is_not_run(fresh, monkeypatch):
    assert compiled.available(torch.float32)
    library._loaded.cache_clear()
    monkeypatch.setattr(library.os, "getuid", lambda: 12345)
    assert compiled.available(torch.float32)
    assert len(fresh) == 2


@pytest.mark.slow
@needs_compiler
def test_a_compiler_without_openmp_will_do(fresh, tmp_path, monkeypatch):
    run = subprocess.run

    def refuse(command, **options):
        if "-fopenmp" in command:
            raise subprocess.CalledProcessError(1, command, stderr="no OpenMP")
        return run(command, **options)

    assert compiled.has_threads(torch.float32)
    kept_in(tmp_path).unlink()
    library._loaded.cache_clear()
    monkeypatch.setattr(subprocess, "run", refuse)
    assert compiled.why_not(torch.float32) == ""
    assert not compiled.has_threads(torch.float32)


@needs_compiler
def test_what_does_not_load_is_tried_without_openmp(fresh, monkeypatch):
    load = library._library

    def refuse(command):
        if "-fopenmp" in command:
            raise OSError("libomp.so: cannot open shared object file")
        return load(command)

    monkeypatch.setattr(library, "_library", refuse)
    assert compiled.why_not(torch.float32) == ""


@pytest.mark.parametrize(
    ("compiler", "said"),
    [
        ("no-such-compiler", "no C compiler 'no-such-compiler'"),
        ("false", "false failed: exit code 1"),
        ("'", "CC"),
        (r"sh -c 'printf \\377 >&2; exit 3'", "failed: \ufffd"),
    ],
)
def test_why_there_is_none_is_said(compiler, said, fresh, monkeypatch):
    monkeypatch.setenv("CC", compiler)
    assert said in compiled.why_not(torch.bfloat16)
    assert not compiled.available(torch.bfloat16)
    with pytest.raises(RuntimeError, match="nothing is compiled"):
        library.library(torch.bfloat16)


def test_a_compiler_that_takes_for_ever_is_given_up(fresh, monkeypatch):
    monkeypatch.setattr(library, "_PATIENCE", 0.01)
    assert "timed out" in compiled.why_not(torch.float32)


@pytest.mark.parametrize("switch", ["0", "no", "False"])
def test_it_can_be_switched_off(switch, monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, switch)
    assert compiled.why_not(torch.float32) == f"ECGTUNE_COMPILE={switch}"


@needs_compiler
@pytest.mark.parametrize("switch", ["", "1", "yes"])
def test_anything_else_leaves_it_on(switch, monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, switch)
    assert compiled.available(torch.float32)


def test_there_is_none_for_double_precision():
    assert compiled.why_not(torch.float64) == "not for torch.float64"
