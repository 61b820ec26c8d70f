"""With what, and on what machine, a sweep was run."""

import os
import platform
from importlib.metadata import version
from typing import Any

import torch

import ecgtune
from ecgtune.sweep.commit import commit
from ecgtune.training.path import has_bf16_units, not_compiled


def versions() -> dict[str, str]:
    """Versions of what decides about the numbers, and the commit where the code is a checkout."""
    found = {
        "ecgtune": ecgtune.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("ray", "optuna", "torch", "numpy")},
    }
    known = commit()
    return found | ({"commit": known} if known else {})


def machine() -> dict[str, Any]:
    """Cores, the widest vector units that PyTorch uses, units for bfloat16, compiled layers, and the GPU."""
    found: dict[str, Any] = {
        "cores": os.cpu_count() or 1,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "amx": bool(torch.cpu._is_amx_tile_supported()),
        "bf16_units": has_bf16_units(),
        "compiled": not not_compiled(),
    }
    return found | ({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})
