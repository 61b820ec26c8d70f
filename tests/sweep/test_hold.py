"""Workers that wait until they are let go."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager

import pytest

from ecgtune.sweep.hold import Hold, wait_until_released

WAIT = "from ecgtune.sweep.hold import wait_until_released as wait; print('there', flush=True); wait(); print('gone')"
HOLD = """
import subprocess, sys, time
from ecgtune.sweep.hold import Hold
hold = Hold()
waiting = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stderr=subprocess.DEVNULL)
time.sleep(60)
"""


@contextmanager
def started(*words):
    with subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "there\n"
            yield process
        finally:
            process.kill()


def test_a_worker_waits_until_it_is_let_go():
    hold = Hold()
    with started(WAIT) as worker:
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.5)
        hold.release()
        hold.release()
        assert worker.communicate(timeout=20)[0] == "gone\n"


def test_it_waits_no_longer_than_the_process_lives_that_holds_it():
    with started(HOLD, WAIT) as holder:
        holder.send_signal(signal.SIGKILL)
        # Its pipe is closed when the one that waits, which has it too, has ended.
        assert holder.communicate(timeout=20)[0] == "gone\n"


def test_nobody_waits_where_nothing_is_held(monkeypatch, tmp_path):
    Hold().release()
    wait_until_released()
    monkeypatch.setenv("ECGTUNE_WORKERS_WAIT_FOR", str(tmp_path / "gone"))
    wait_until_released()


@pytest.mark.parametrize(("owner", "name"), [(tempfile, "TemporaryFile"), (fcntl, "flock")])
def test_a_system_without_such_files_or_locks_holds_nobody(monkeypatch, owner, name):
    def refuse(*_):
        raise OSError("not here")

    monkeypatch.setattr(owner, name, refuse)
    hold = Hold()
    assert "ECGTUNE_WORKERS_WAIT_FOR" not in os.environ
    hold.release()
