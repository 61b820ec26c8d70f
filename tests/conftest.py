"""Fixtures that several test folders share."""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import numpy as np
import pytest

from ecgtune.data.store import DatasetWriter, Target, WindowDataset, load_dataset

ROOT = Path(__file__).resolve().parent.parent
_N_TIMES = 256
# No test depends on how busy the machine is.
hypothesis.settings.register_profile("ecgtune", deadline=None)
hypothesis.settings.load_profile("ecgtune")
# No test waits for a probe, and none depends on what it would find.
os.environ["ECGTUNE_CONVOLUTION"] = "fourier"
# Ray's workers have the environment in which its cluster was started.
os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real recordings, `eegmat` and `mitdb`."""
    folder = Path(os.environ.get("ECGTUNE_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "eegmat").is_dir():
        pytest.skip(f"no real recordings at {folder}; set ECGTUNE_REAL_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[dict[str, float]]:
    """One local Ray cluster of two CPUs for the whole session; sweeps find it and leave it running."""
    from ecgtune.sweep.engine import RaySession

    with RaySession(None, 2) as resources:
        from ray import cloudpickle

        from tests.sweep import curves

        # Workers do not have the tests on their path.
        cloudpickle.register_pickle_by_value(curves)
        yield resources


@dataclass(frozen=True)
class Bucket:
    """An empty bucket of a local S3 server: its name, the server's address, and a client of it."""

    name: str
    endpoint: str
    client: Any

    def uri(self, path: str = "results") -> str:
        """What a user would type."""
        return f"s3://{self.name}/{path}?endpoint_override={self.endpoint}&region=us-east-1"

    def names(self, prefix: str = "") -> list[str]:
        """The objects, without those that only stand for folders."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        names = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return sorted(name for name in names if not name.endswith("/"))

    def put(self, folder: Path, path: str) -> str:
        """Copy a folder's files there; gives what a user would type."""
        for file in folder.iterdir():
            self.write(f"{path}/{file.name}", file.read_bytes())
        return self.uri(path)

    def write(self, name: str, content: bytes) -> None:
        """Make or replace an object."""
        self.client.put_object(Bucket=self.name, Key=name, Body=content)

    def remove(self, name: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=self.name, Key=name)

    def read(self, name: str) -> bytes:
        """An object's content."""
        return self.client.get_object(Bucket=self.name, Key=name)["Body"].read()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server on this machine."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str) -> Bucket:
    """A bucket for one test."""
    import boto3

    client = boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1")
    name = f"bucket-{uuid4().hex}"
    client.create_bucket(Bucket=name)
    return Bucket(name, s3_server, client)


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


def _bumps(rng: np.random.Generator, n: int, rate: float) -> np.ndarray:
    """[n, _N_TIMES] skewed bumps at `rate` per window, at random phases, and a little noise."""
    time = np.linspace(0, 1, _N_TIMES, endpoint=False)
    phase = (rate * time + rng.random((n, 1))) % 1.0
    bump = np.exp(-(((phase - 0.3) / 0.05) ** 2)) - 0.4 * np.exp(-(((phase - 0.45) / 0.08) ** 2))
    return (bump + 0.02 * rng.standard_normal((n, _N_TIMES))).astype(np.float32)


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., WindowDataset]:
    """Write a data set: every person has windows with score 0 (slow bumps) and score 1 (fast ones)."""

    def make(name: str = "toy", subjects: int = 6, per_class: int = 6, bad: int = 0, unrated: int = 0) -> WindowDataset:
        folder = tmp_path / f"{name}-{subjects}-{per_class}-{bad}-{unrated}"
        if folder.exists():
            return load_dataset(folder)
        folder.mkdir()
        rng = np.random.default_rng(0)
        writer = DatasetWriter(folder, name, _N_TIMES, [Target("arousal", 0.5, "0 or 1"), Target("valence", 0.5)])

        def add(subject: str, n: int, rate: float, labels: dict[str, float], kind: str, quality: str) -> None:
            row = {"subject": subject, "stimulus": "s", "lead": "ecg", "start": 0.0, "kind": kind, "quality": quality}
            writer.add(_bumps(rng, n, rate), [row] * n, labels)

        for number in range(subjects):
            subject = f"p{number}"
            add(subject, 2, 3.0, {}, "baseline", "")
            for score in (0.0, 1.0):
                add(subject, per_class, 3.0 + 4.0 * score, {"arousal": score, "valence": 0.0}, "stimulus", "")
            if bad:
                add(subject, bad, 3.0, {"arousal": 0.0, "valence": 0.0}, "stimulus", "flat")
            if unrated:
                add(subject, unrated, 3.0, {"arousal": float("nan"), "valence": 0.0}, "stimulus", "")
        writer.finish(sfreq=256.0, details={"preparation": {"highpass": 0.8}})
        return load_dataset(folder)

    return make
