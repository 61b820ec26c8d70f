"""What tests of the command line share."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def no_ray(monkeypatch):
    """Ray never starts."""
    monkeypatch.setattr("ecgtune.cli.sweep_run._session", lambda *_, **__: SimpleNamespace(close=lambda: None))
