"""Which way to compute convolutions the user asks for."""

import subprocess
import sys

import pytest

from ecgtune.convolution_path import PATHS, VARIABLE, wanted_path
from ecgtune.errors import InputError


@pytest.mark.parametrize("path", PATHS)
def test_the_option_comes_before_the_variable(monkeypatch, path):
    monkeypatch.setenv(VARIABLE, path)
    assert wanted_path(None) == path
    assert wanted_path("bf16") == "bf16"
    assert wanted_path("auto") is None


def test_nothing_wanted_is_the_fastest(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    assert wanted_path(None) is None
    monkeypatch.delenv(VARIABLE)
    assert wanted_path(None) is None


@pytest.mark.parametrize(("option", "variable", "named"), [("fft", "", "--convolution"), (None, "fft", VARIABLE)])
def test_an_unknown_way_is_refused(monkeypatch, option, variable, named):
    monkeypatch.setenv(VARIABLE, variable)
    with pytest.raises(
        InputError, match=f"{named}.*'fft'.*auto, direct, fourier, bf16, tiled, tiled32, inductor, cudagraphs"
    ):
        wanted_path(option)


def test_it_can_be_asked_without_pytorch():
    code = "import sys, ecgtune.cli.sweep_options; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"
