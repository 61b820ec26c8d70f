"""`ecgtune bench`."""

import json

import pytest

from ecgtune.errors import EcgtuneError
from ecgtune.training.speed import StepSpeed


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Every measurement takes the least it can, and the cache is left alone."""
    monkeypatch.setattr("ecgtune.training.path.measured", lambda cache: {"direct": 1.0, "fourier": 2.0})
    monkeypatch.setattr("ecgtune.training.path.candidates", lambda device="cpu": ("direct", "fourier"))
    monkeypatch.setattr("ecgtune.training.speed.N_TIMES", 300)


def test_it_tells_what_was_chosen_and_how_fast_every_path_is(run_cli, monkeypatch):
    monkeypatch.delenv("ECGTUNE_CONVOLUTION")
    result = run_cli("bench", "--seconds", "0.1")
    assert result.exit_code == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith(("direct", "fourier"))]
    assert [(row[0], "(chosen)" in row) for row in rows] == [
        *[("direct", False)] * 2,
        *[("fourier", True)] * 2,
    ]


@pytest.mark.parametrize(
    ("paths", "dtypes"), [(("fourier", "tiled"), ["float32", "bfloat16"]), (("direct",), ["float32"])]
)
def test_the_peak_is_that_of_the_types_that_the_paths_multiply(paths, dtypes, run_cli, monkeypatch):
    asked = []
    monkeypatch.setattr("ecgtune.training.path.candidates", lambda device="cpu": paths)
    monkeypatch.setattr("ecgtune.training.speed.matmul_peak", lambda dtype, **_: asked.append(str(dtype)[6:]) or 1.0)
    speed = StepSpeed(1.0, 1.0, 0.5, 2.0)
    monkeypatch.setattr("ecgtune.training.speed.step_speed", lambda *_, **__: speed)
    assert run_cli("bench", "--convolution", paths[0]).exit_code == 0
    assert asked == dtypes


@pytest.mark.parametrize("reason", ["", "no C compiler 'cc'"])
def test_it_tells_why_nothing_is_compiled(reason, run_cli, monkeypatch):
    monkeypatch.setattr("ecgtune.training.path.not_compiled", lambda: reason)
    result = run_cli("bench", "--seconds", "0.1", "--convolution", "direct")
    assert (f"PyTorch's operations: {reason}." in result.stdout) is bool(reason)
    found = json.loads(run_cli("bench", "--seconds", "0.1", "--json", "--convolution", "direct").stdout)
    assert found["compiled"] is not bool(reason)
    assert found["why_not_compiled"] == reason


def test_what_was_asked_for_is_not_called_chosen_and_graphs_need_a_gpu(run_cli, monkeypatch):
    monkeypatch.setattr("ecgtune.models.fused.why_not", lambda path, device: "")
    monkeypatch.setattr("ecgtune.training.speed.step_speed", lambda *_, **__: StepSpeed(1.0, 1.0, 0.5, 2.0))
    found = run_cli("bench", "--convolution", "cudagraphs").stdout
    assert found.count("cudagraphs (asked for)") == 2
    assert "chosen" not in found
    assert "Without a GPU cudagraphs is computed as inductor." in found
    assert "Without a GPU" not in run_cli("bench", "--convolution", "inductor").stdout
    assert json.loads(run_cli("bench", "--json", "--convolution", "inductor").stdout)["asked_for"] is True
    monkeypatch.delenv("ECGTUNE_CONVOLUTION")
    assert json.loads(run_cli("bench", "--json").stdout)["asked_for"] is False


@pytest.mark.parametrize("path", ["inductor", "direct"])
@pytest.mark.parametrize("reason", ["", "PyTorch finds no C++ compiler"])
def test_it_tells_why_nothing_is_fused(path, reason, run_cli, monkeypatch):
    monkeypatch.setattr("ecgtune.models.fused.why_not", lambda path, device: reason)
    monkeypatch.setattr("ecgtune.training.speed.step_speed", lambda *_, **__: StepSpeed(1.0, 1.0, 0.5, 2.0))
    expected = reason if path == "inductor" else ""
    result = run_cli("bench", "--seconds", "0.1", "--convolution", path)
    assert ("is computed as bf16: PyTorch finds no C++ compiler." in result.stdout) is bool(expected)
    found = json.loads(run_cli("bench", "--seconds", "0.1", "--json", "--convolution", path).stdout)
    assert found["why_not_fused"] == expected


@pytest.mark.parametrize("kind", [EcgtuneError, RuntimeError])
def test_a_way_that_fails_leaves_the_others_figures(kind, run_cli, monkeypatch):
    error = kind("no compiler (Error: [Python.h])\nand more")

    def measure(stride, path, **_):
        if path == "fourier":
            raise error
        return StepSpeed(1.0, 1.0, 0.5, 2.0)

    monkeypatch.setattr("ecgtune.training.speed.step_speed", measure)
    result = run_cli("bench", "--convolution", "direct")
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines()[-2:]] == ["direct"] * 2
    assert all("2.0 s" in line for line in result.stdout.splitlines()[-2:])
    assert "error: fourier: no compiler (Error: [Python.h])" in result.stderr
    result = run_cli("bench", "--convolution", "direct", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["failed"] == {"fourier": "no compiler (Error: [Python.h])"}
    assert len(found["steps"]) == 2


@pytest.mark.parametrize("threads", ["1", "2"])
def test_it_tells_that_what_is_compiled_uses_one_thread(threads, run_cli, monkeypatch):
    monkeypatch.setattr("ecgtune.training.path.not_compiled", lambda: "")
    monkeypatch.setattr("ecgtune.training.path.compiled_without_threads", lambda: True)
    result = run_cli("bench", "--seconds", "0.1", "--convolution", "direct", "--threads", threads)
    assert ("knows no OpenMP" in result.stdout) is (threads == "2")


def test_it_prints_json(run_cli):
    result = run_cli("bench", "--seconds", "0.1", "--json", "--convolution", "direct")
    found = json.loads(result.stdout)
    assert found["chosen"] == "direct"
    for step in found["steps"]:
        assert step["views_per_second"] > 0
        assert 0 < step["share_of_views"] < 1
        assert step["share_of_peak"] == pytest.approx(step["gflops"] / found["matmul_peak_gflops"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--convolution", "fft"], "auto, direct, fourier, bf16, tiled, tiled32, inductor, cudagraphs"),
        (["--device", "abacus"], "auto, cpu or cuda"),
    ],
)
def test_bad_input_is_one_message(options, said, run_cli):
    result = run_cli("bench", *options)
    assert result.exit_code == 2
    assert said in result.stderr
