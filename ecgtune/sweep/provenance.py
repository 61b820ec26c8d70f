"""With what, and on what machine, a sweep was run."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import ecgtune


def versions() -> dict[str, str]:
    """Versions of what decides about the numbers, and the commit where the code is a checkout."""
    found = {
        "ecgtune": ecgtune.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("ray", "optuna", "torch", "numpy")},
    }
    commit = _commit()
    return found | ({"commit": commit} if commit else {})


def machine() -> dict[str, Any]:
    """Cores, the widest vector units that PyTorch uses, whether there are bf16 matrix units, and the GPU."""
    found: dict[str, Any] = {
        "cores": os.cpu_count() or 1,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "amx": bool(torch.cpu._is_amx_tile_supported()),
    }
    return found | ({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


def _commit() -> str:
    root = Path(ecgtune.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    asked = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip()
