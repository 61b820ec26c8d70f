"""Fixtures that several test folders share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real recordings, `eegmat` and `mitdb`."""
    folder = Path(os.environ.get("ECGTUNE_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "eegmat").is_dir():
        pytest.skip(f"no real recordings at {folder}; set ECGTUNE_REAL_DATA to their folder")
    return folder
