"""Preparing people of full size, EEG included, stays far below the promised 2 GiB."""

import subprocess
import sys

import pytest

from ecgtune.data.synthetic.dreamer import write_dreamer

PREPARE = """
import resource, sys
from pathlib import Path
from ecgtune.data.dreamer import open_dreamer
from ecgtune.data.prepare import prepare
summary = prepare(open_dreamer(Path(sys.argv[1])), Path(sys.argv[2]))
unit = 1 if sys.platform == "darwin" else 1024
print(summary.recordings, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_people(tmp_path):
    peaks = {}
    for people in (2, 4):
        path = tmp_path / f"{people}.mat"
        write_dreamer(path, subjects=people)
        result = subprocess.run(
            [sys.executable, "-c", PREPARE, path, tmp_path / f"set{people}"], capture_output=True, text=True, check=True
        )
        recordings, peaks[people] = map(int, result.stdout.split())
        assert recordings == 36 * people
    assert peaks[4] < 1 << 30
    # Two more people have 40 MiB of ECG and 140 MiB of EEG.
    assert peaks[4] - peaks[2] < 40 << 20
