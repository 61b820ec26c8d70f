"""One driver per sweep at a URI: a note with a heartbeat, beside the sweep.

Best effort: an object store has no locks. Of two drivers that begin in the same instant both may go on for one beat;
then the one whose note is gone stops. Clocks of machines have to agree within seconds.

A driver that slept may find its note gone: another one has taken over meanwhile, and has ended. So only `take` makes a
note where there is none.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import uuid4

from ecgtune.errors import EcgtuneError, InputError
from ecgtune.remote import Remote, RemoteError
from ecgtune.sweep.lock import Owner, alive

# Seconds without a heartbeat after which a driver of another machine counts as dead.
STALE_SECONDS = 60.0
# Between two heartbeats.
BEAT_SECONDS = 10.0


class RemoteLock:
    """Says who drives a sweep.

    Args:
        remote: the results folder.
        name: of the sweep.
    """

    def __init__(self, remote: Remote, name: str) -> None:
        self._remote, self._name, self._note = remote, name, f".{name}.lock"
        self._id = uuid4().hex
        # Beats come from several threads, and none may come after the release.
        self._beating, self._held = threading.Lock(), False
        self._me = Owner(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"))

    def take(self) -> None:
        """Be the driver from now on.

        Raises:
            InputError: another driver is alive.
            RemoteError: the store refused.
        """
        self._refuse_other(self._read())
        self._write()
        self._refuse_other(self._read())
        self._held = True

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Be the driver within the block, and say so all the while, however long anything in it takes.

        Raises:
            InputError: another driver is alive.
            RemoteError: the store refused.
        """
        self.take()
        over = threading.Event()
        thread = threading.Thread(target=self._live, args=(over,), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            # Without a release the note is dead soon.
            with suppress(RemoteError):
                self.release()

    def beat(self) -> None:
        """Say that this driver is alive.

        Raises:
            EcgtuneError: another driver has taken over.
            RemoteError: the store refused.
        """
        with self._beating:
            if not self._held:
                return
            found = self._read()
            if found is None or found["id"] != self._id:
                raise taken_over(self._name, f"{_owner(found)}" if found else "another driver, which has ended,")
            self._write()

    def release(self) -> None:
        """Be the driver no longer."""
        with self._beating:
            self._held = False
            found = self._read()
            if found is not None and found["id"] == self._id:
                self._remote.remove(self._note)

    def owner(self) -> Owner | None:
        """Who drives the sweep now; None where nobody does."""
        found = self._read()
        return None if found is None or _dead(found) else _owner(found)

    def _live(self, over: threading.Event) -> None:
        while not over.wait(BEAT_SECONDS):
            try:
                self.beat()
            except RemoteError:
                continue  # It may be over in a while.
            except EcgtuneError:
                return  # Whoever is about to upload finds it, too.

    def _refuse_other(self, found: dict[str, str] | None) -> None:
        if found is not None and found["id"] != self._id and not _dead(found):
            raise InputError(
                f"{self._remote.shown}/{self._name} is being run already by {_owner(found)}. Watch it with `ecgtune "
                f"status {self._name}`, stop it with Ctrl-C there, or choose another --name. If that machine is gone, "
                f"try again in {STALE_SECONDS:.0f} s."
            )

    def _read(self) -> dict[str, str] | None:
        content = self._remote.read(self._note)
        try:
            found = json.loads(content or b"")
            return {**found, "id": str(found["id"]), "beat": float(found["beat"]), "pid": int(found["pid"])}
        except (ValueError, TypeError, KeyError):
            return None

    def _write(self) -> None:
        content = {**asdict(self._me), "machine": _machine(), "id": self._id, "beat": time.time()}
        self._remote.write(self._note, json.dumps(content).encode())


def taken_over(name: str, by: str) -> EcgtuneError:
    """What a driver is told that is none any more."""
    return EcgtuneError(
        f"{name} was taken over by {by}, since nothing was heard of this driver for a while. What it did since stays "
        "here and is not uploaded."
    )


def _owner(found: dict[str, str]) -> Owner:
    return Owner(int(found["pid"]), str(found.get("host", "?")), str(found.get("since", "?")))


@cache
def _machine() -> str:
    """Where a process number means the same as here, which a host name does not say; empty where nobody knows."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _dead(found: dict[str, str]) -> bool:
    if _machine() and found.get("machine") == _machine() and not alive(int(found["pid"])):
        return True
    return time.time() - float(found["beat"]) > STALE_SECONDS
