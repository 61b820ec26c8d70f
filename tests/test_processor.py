"""What the processor is."""

import platform

import pytest

from ecgtune import processor

X86 = ("processor\t: 0", "model name\t: Some CPU @ 2 GHz", "flags\t\t: fpu avx2", "model name\t: Another")
ARM = ("processor\t: 0", "Features\t: fp asimd")


@pytest.mark.parametrize(
    ("lines", "name", "flags"),
    [(X86, "Some CPU @ 2 GHz", "fpu avx2"), (ARM, "aarch64", "fp asimd"), ((), "aarch64", "aarch64")],
)
def test_what_the_system_says(monkeypatch, lines, name, flags):
    monkeypatch.setattr(processor, "_cpuinfo", lambda: lines)
    monkeypatch.setattr(platform, "processor", lambda: "aarch64")
    assert (processor.processor_name(), processor.processor_flags()) == (name, flags)
