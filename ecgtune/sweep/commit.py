"""Which commit the code is."""

import os
import subprocess
from pathlib import Path

import ecgtune


def commit() -> str:
    """The commit of the checkout that runs; in a job, that of the checkout it was sent from; empty where unknown."""
    root = Path(ecgtune.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return os.environ.get("ECGTUNE_COMMIT", "")
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # a checkout on a machine without git
        return os.environ.get("ECGTUNE_COMMIT", "")
