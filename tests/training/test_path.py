"""Choosing how convolutions are computed."""

import json
from collections import Counter

import pytest
import torch

from ecgtune.convolution_path import PATHS, VARIABLE
from ecgtune.errors import InputError
from ecgtune.training import path as module
from ecgtune.training.path import candidates, choose_path, probe


@pytest.fixture
def probed(monkeypatch):
    """Counts the probes, which say that the Fourier path is the fastest."""
    monkeypatch.delenv(VARIABLE, raising=False)
    counts = Counter()

    def measure(paths):
        counts.update(paths)
        return {
            path: {"direct": 10.0, "fourier": 30.0, "bf16": 20.0, "tiled": 25.0, "tiled32": 27.0}[path]
            for path in paths
        }

    monkeypatch.setattr(module, "probe", measure)
    return counts


def test_the_fastest_is_chosen_and_measured_once(probed, tmp_path):
    assert [choose_path("auto", "cpu", cache=tmp_path) for _ in range(3)] == ["fourier"] * 3
    assert set(probed.values()) == {1}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"another machine": {"direct": 1.0, "fourier": 2.0}}'])
def test_a_cache_that_says_nothing_of_this_machine_is_measured_again(content, probed, tmp_path):
    (tmp_path / "convolution.json").write_text(content)
    assert choose_path("auto", "cpu", cache=tmp_path) == "fourier"
    assert probed["fourier"] == 1
    kept = json.loads((tmp_path / "convolution.json").read_text())
    # A home folder may be shared by machines that differ.
    assert set(kept) == {module.machine_key(), *(["another machine"] if "another" in content else [])}


def test_a_cache_that_cannot_be_written_stops_nobody(probed, tmp_path):
    (tmp_path / "file").touch()
    assert choose_path("auto", "cpu", cache=tmp_path / "file") == "fourier"


@pytest.mark.parametrize("path", PATHS)
def test_a_path_can_be_wanted(path, probed, tmp_path, monkeypatch):
    assert choose_path(path, "cpu", cache=tmp_path) == path
    monkeypatch.setenv(VARIABLE, path)
    assert choose_path(None, "cuda", cache=tmp_path) == path
    assert choose_path("auto", "cpu", cache=tmp_path) == "fourier"
    assert probed.total() == len(candidates())


@pytest.mark.parametrize(("supported", "expected"), [(True, "bf16"), (False, "direct")])
@pytest.mark.parametrize("reason", ["", "no Triton"])
def test_a_gpu_takes_what_it_multiplies_fastest(supported, expected, reason, monkeypatch):
    """What has to be compiled for a minute is measured by `bench`, and taken by who asks for it."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    monkeypatch.setattr("ecgtune.models.fused.why_not", None)  # which loads the compiler
    assert choose_path("auto", "cuda:0") == expected
    monkeypatch.setattr("ecgtune.models.fused.why_not", lambda path, device: reason)
    fused = ("inductor", "cudagraphs") if supported and not reason else ()
    assert candidates("cuda:0") == (("direct", "bf16", *fused) if supported else ("direct",))


def test_bfloat16_is_a_candidate_only_where_there_are_units_for_it(monkeypatch):
    for units in (False, True):
        monkeypatch.setattr(module, "has_bf16_units", lambda units=units: units)
        assert {"bf16", "tiled"} & {*candidates()} == ({"bf16", "tiled"} if units else set())


@pytest.mark.parametrize("reason", ["", "no C compiler"])
def test_tiles_in_float32_are_a_candidate_only_where_they_are_compiled(reason, monkeypatch):
    monkeypatch.setattr(module, "has_bf16_units", lambda: False)
    monkeypatch.setattr("ecgtune.models.compiled.library.why_not", lambda dtype: reason)
    assert ("tiled32" in candidates()) is not bool(reason)


def test_what_is_compiled_is_a_part_of_the_machine(monkeypatch):
    keys = set()
    for reason in ("", "no C compiler"):
        monkeypatch.setattr(module, "not_compiled", lambda reason=reason: reason)
        keys.add(module.machine_key())
    assert len(keys) == 2


def test_a_probe_goes_forward_and_back_and_leaves_the_threads_as_they_were(monkeypatch):
    gradients = []
    backward = torch.autograd.backward
    monkeypatch.setattr(torch.autograd, "backward", lambda loss: (backward(loss), gradients.append(loss)))
    threads = torch.get_num_threads()
    speeds = probe(("direct", "fourier"))
    assert set(speeds) == {"direct", "fourier"}
    assert min(speeds.values()) > 0
    assert len(gradients) >= 4
    assert torch.get_num_threads() == threads


def test_an_empty_choice_is_none_at_all(tmp_path):
    with pytest.raises(InputError, match="--convolution: there is no convolution path ''. Choose one of auto"):
        choose_path("", "cpu", cache=tmp_path)
