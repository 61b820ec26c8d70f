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


@needs_compiler
def test_another_compiler_or_processor_is_compiled_for_anew(fresh, monkeypatch):
    assert compiled.available(torch.float32)
    for change in (lambda: monkeypatch.setenv("CC", "cc -DOTHER"),
                   lambda: monkeypatch.setattr(library, "_processor_flags", lambda: "other")):  # fmt: skip
        change()
        library._loaded.cache_clear()
        assert compiled.available(torch.float32)
    assert len(fresh) == 3


@needs_compiler
def test_a_cache_that_cannot_be_written_stops_nobody(fresh, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "file"))
    assert compiled.why_not(torch.float32) == ""


@needs_compiler
def test_what_is_broken_in_the_cache_is_compiled_again(fresh, tmp_path, monkeypatch):
    monkeypatch.setattr(library, "_key", lambda command: "kept")
    kept = tmp_path / "cache" / "compiled" / "kept.so"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"half a file")
    assert compiled.why_not(torch.float32) == ""
    assert len(fresh) == 1
    assert kept.stat().st_size > 1000


@needs_compiler
def test_a_compiler_without_openmp_will_do(fresh, monkeypatch):
    run = subprocess.run

    def refuse(command, **options):
        if "-fopenmp" in command:
            raise subprocess.CalledProcessError(1, command, stderr="no OpenMP")
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", refuse)
    assert compiled.why_not(torch.float32) == ""


@pytest.mark.parametrize(
    ("compiler", "said"),
    [("no-such-compiler", "no C compiler 'no-such-compiler'"), ("false", "false failed: exit code 1"), ("'", "CC")],
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
