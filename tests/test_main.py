"""`python -m ecgtune` where something is missing."""

import subprocess
import sys
from pathlib import Path


def test_a_python_without_our_dependencies_is_one_message():
    # Isolated and without its packages, as the system's own Python is on a head.
    command = [sys.executable, "-S", "-m", "ecgtune", "--version"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"error: {sys.executable} has no module " in done.stderr
    assert "--python" in done.stderr
