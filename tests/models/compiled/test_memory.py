"""No compiled layer reads or writes where it should not: the tests beside this one, under GCC's AddressSanitizer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_LAYERS = Path(__file__).with_name("test_layers.py")
# The shapes, and what is called with threads; what follows needs no second look.
_WHICH = "a_layer_is or first_layer or peaks_are or alone_is_exact or threads_may_change"


def sanitizer():
    """The runtime library, or an empty path where the compiler has none."""
    try:
        asked = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    found = Path(asked.stdout.strip())
    return str(found) if found.is_absolute() and found.exists() else ""


@pytest.mark.slow
@pytest.mark.skipif(not sanitizer(), reason="the compiler has no AddressSanitizer")
def test_the_layers_stay_within_their_memory(tmp_path):
    environment = {
        **os.environ,
        "CC": "cc -fsanitize=address -O1",
        "ECGTUNE_CACHE": str(tmp_path),
        "LD_PRELOAD": sanitizer(),
        "ASAN_OPTIONS": "detect_leaks=0",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        str(_LAYERS),
        "-k",
        _WHICH,
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert " passed" in done.stdout or "[100%]" in done.stdout
