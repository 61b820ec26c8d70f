"""Hyper-parameter sweeps for two-stage self-supervised ECG models."""

import os

__version__ = "0.1.0"

# PyTorch's threads wait for each other in a loop, by default for 300,000 turns before they let others have the core.
# Where another process keeps one of two cores busy, a trial with two threads was 20 times slower for it; now it is
# three times slower, and as fast as before where nothing else runs. GNU's OpenMP reads it when PyTorch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
