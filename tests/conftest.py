"""Fixtures that several test folders share."""

import os
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class CliResult:
    """What a command gave back: its exit code and all that it printed."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def run_cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., CliResult]:
    """Run `ecgtune` in this process: `run_cli("data", "info", folder)`."""

    def run(*arguments: str | Path) -> CliResult:
        from ecgtune.cli import console
        from ecgtune.cli.app import main

        monkeypatch.setattr("sys.argv", ["ecgtune", *map(str, arguments)])
        # Wide enough that no message is wrapped where a test looks for it.
        monkeypatch.setenv("COLUMNS", "500")
        console.stdout.cache_clear()
        console.stderr.cache_clear()
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        printed = capsys.readouterr()
        return CliResult(code, printed.out, printed.err)

    return run
