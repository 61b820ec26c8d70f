"""Sweeps as jobs of a cluster: sent, listed, followed, stopped."""

import asyncio
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests

from ecgtune import __version__
from ecgtune.cluster.client import connect, lost
from ecgtune.cluster.parcel import Parcel
from ecgtune.errors import EcgtuneError, InputError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

# Seconds that a sweep has to write what is finished, once its job is told to stop; Ray's own three are too few.
STOP_SECONDS = 60
_POLL_SECONDS = 0.5
_OVER = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass(frozen=True)
class SweepJob:
    """A job as the cluster knows it.

    Args:
        job: its id.
        sweep: the sweep's name.
        stage: `pretext` or `emotion`.
        results: the folder that holds all sweeps.
        state: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        begun: ISO 8601, UTC.
        seconds: from its begin to its end, or to now.
        exit_code: the command's; None while it runs, and where it did not get so far.
        message: the cluster's last word on it.
    """

    job: str
    sweep: str
    stage: str
    results: str
    state: str
    begun: str
    seconds: float
    exit_code: int | None
    message: str

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in _OVER

    @property
    def ecgtune_code(self) -> int:
        """The exit code that the command would have had here: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
        if self.state == "STOPPED":
            return 130
        if self.state == "SUCCEEDED":
            return 0
        return self.exit_code if self.exit_code in (1, 2, 130) else 1


class Jobs:
    """The sweeps of one cluster.

    Args:
        address: of the dashboard; None means this machine's.

    Raises:
        InputError: nobody answers there, or not to this token.
    """

    def __init__(self, address: str | None) -> None:
        self.url, self._client = connect(address)

    def submit(
        self, words: Sequence[str], parcel: Parcel, *, sweep: str, results: str, python: str, commit: str
    ) -> SweepJob:
        """Send a sweep.

        Args:
            words: the arguments of `ecgtune`, as they have to be on the cluster.
            parcel: code and search space.
            sweep: the sweep's name.
            results: the folder that holds all sweeps.
            python: the interpreter on the cluster.
            commit: of the code; empty where it is unknown.
        """
        environment = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), "COLUMNS": "120"}
        if commit:
            environment["ECGTUNE_COMMIT"] = commit
        with self._talking() as client:
            job = client.submit_job(
                entrypoint=shlex.join([python, "-m", "ecgtune", *words]),
                submission_id=f"{sweep}-{secrets.token_hex(3)}",
                runtime_env={"working_dir": str(parcel.folder), "env_vars": environment},
                metadata={"ecgtune": __version__, "sweep": sweep, "stage": words[1], "results": results},
            )
        return self.find(job)

    def list(self) -> list[SweepJob]:
        """All of ecgtune's jobs, the oldest first."""
        with self._talking() as client:
            found = [_view(each) for each in client.list_jobs() if "ecgtune" in (each.metadata or {})]
        return sorted(found, key=lambda each: each.begun)

    def find(self, wanted: str) -> SweepJob:
        """A job by its id, or the newest one of a sweep.

        Raises:
            InputError: there is none.
        """
        jobs = self.list()
        for each in reversed(jobs):
            if wanted in (each.job, each.sweep):
                return each
        known = ", ".join(each.job for each in jobs) or "none"
        raise InputError(f"the cluster at {self.url} has no job {wanted!r}. It has: {known}.")

    def follow(self, job: str, write: Callable[[str], None]) -> SweepJob:
        """Pass on what a job prints, from its first line, until it ends."""
        seen = 0
        while True:
            seen += asyncio.run(self._tail(job, seen, write))
            found = self.find(job)
            if found.over:
                return found
            time.sleep(_POLL_SECONDS)  # It has not begun yet, or the line was cut.

    def wait(self, job: str, seconds: float = float("inf")) -> SweepJob:
        """Wait for a job's end, or so long."""
        until = time.monotonic() + seconds
        while True:
            found = self.find(job)
            if found.over or time.monotonic() > until:
                return found
            time.sleep(_POLL_SECONDS)

    def complaint(self, job: SweepJob) -> str:
        """Why a job failed, in a line: the last error that it printed, else its last line, else the cluster's word."""
        if job.state != "FAILED":
            return ""
        printed = ""
        if job.exit_code is not None:
            with self._talking() as client:
                printed = str(client.get_job_logs(job.job))
        lines = [line.strip() for line in printed.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("error: ")]
        return (errors or lines or [f"error: {' '.join(job.message.split())[:500]}"])[-1]

    def stop(self, job: str) -> bool:
        """Tell a job to end in good order, as Ctrl-C does; False where it had ended already."""
        with self._talking() as client:
            return bool(client.stop_job(job))

    async def _tail(self, job: str, skip: int, write: Callable[[str], None]) -> int:
        """Write what comes after the first `skip` characters; gives how many were new."""
        import aiohttp

        new = 0
        try:
            async for text in self._client.tail_job_logs(job):
                fresh = text[skip:]
                skip = max(0, skip - len(text))
                new += len(fresh)
                write(fresh)
        except (RuntimeError, aiohttp.ClientError):
            pass  # The line was cut; whether the job has ended is asked next.
        return new

    @contextmanager
    def _talking(self) -> "Iterator[JobSubmissionClient]":
        """One message for whatever the cluster's refusal looks like."""
        try:
            yield self._client
        except requests.RequestException as error:
            raise lost(self.url, error) from error
        except RuntimeError as error:
            if "status code 5" in str(error):  # the dashboard answers, the head behind it does not
                raise lost(self.url, error) from error
            said = str(error).strip().splitlines()
            raise EcgtuneError(f"the cluster at {self.url} refused: {said[0] if said else 'without a word'}") from error


def _view(details: Any) -> SweepJob:
    """What the cluster says of a job, in our words."""
    metadata, begun = details.metadata or {}, (details.start_time or 0) / 1000
    ended = details.end_time / 1000 if details.end_time else time.time()
    return SweepJob(
        job=str(details.submission_id),
        sweep=str(metadata.get("sweep", "")),
        stage=str(metadata.get("stage", "")),
        results=str(metadata.get("results", "")),
        state=str(getattr(details.status, "value", details.status)),
        begun=datetime.fromtimestamp(begun, UTC).isoformat(timespec="seconds"),
        seconds=max(0.0, ended - begun),
        exit_code=details.driver_exit_code,
        message=str(details.message or ""),
    )
