"""The built wheel works elsewhere: away from the checkout, from an empty folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ASK = """
import json
from pathlib import Path

import ecgtune
from ecgtune.space import read_space, shipped_spaces

found = {name: [str(path), len(read_space(path).parameters)] for name, path in shipped_spaces().items()}
print(json.dumps({"package": str(Path(ecgtune.__file__)), "spaces": found}))
"""


@pytest.mark.slow
def test_a_wheel_installed_elsewhere_works_from_an_empty_folder(tmp_path):
    wheels, site, empty = tmp_path / "wheels", tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", str(ROOT), "--no-deps", "--wheel-dir", str(wheels)], check=True)
    (wheel,) = wheels.glob("ecgtune-*.whl")
    subprocess.run([*pip, "install", str(wheel), "--no-deps", "--target", str(site)], check=True)

    environment = {**os.environ, "PYTHONPATH": str(site)}

    def run(*arguments):
        ran = subprocess.run(
            [sys.executable, *arguments], check=True, cwd=empty, env=environment, capture_output=True, text=True
        )
        return ran.stdout

    answer = json.loads(run("-c", ASK))
    assert Path(answer["package"]).is_relative_to(site)
    spaces = {name: (Path(path), count) for name, (path, count) in answer["spaces"].items()}
    assert all(path.is_relative_to(site) and count > 0 for path, count in spaces.values())
    assert set(spaces) == {path.stem for path in (ROOT / "search_spaces").glob("*.toml")}
    assert run("-m", "ecgtune", "--version").startswith("ecgtune ")
    assert "Usage" in run("-m", "ecgtune", "--help")
    assert "cluster_name: ecgtune" in run("-m", "ecgtune", "cluster", "example")
    assert list(empty.iterdir()) == []
