"""Examples of a cluster for this package, with the versions that run here."""

import platform
import re
from importlib.metadata import requires, version
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).resolve().parent / "examples"


def example(kind: str) -> str:
    """The text of an example.

    Args:
        kind: `launcher` (machines reached with ssh, `ray up`) or `kuberay` (Kubernetes).
    """
    text = (_FOLDER / f"{kind}.yaml").read_text(encoding="utf-8")
    python = platform.python_version()
    names = {re.split(r"[^A-Za-z0-9_.-]", line)[0] for line in requires("ecgtune") or () if "extra ==" not in line}
    packages = " ".join(sorted(f"'{name}=={version(name).split('+')[0]}'" for name in names - {"ray"}))
    return Template(text).substitute(
        ray=version("ray"), python=python, py="".join(python.split(".")[:2]), packages=packages
    )
