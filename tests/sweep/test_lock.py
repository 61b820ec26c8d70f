"""One driver per sweep."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from ecgtune.errors import InputError
from ecgtune.sweep.lock import driving, owner
from ecgtune.sweep.plan import definition
from ecgtune.sweep.runner import run_sweep

HOLD = """
import sys, time
from pathlib import Path
from ecgtune.sweep.lock import driving
with driving(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "results" / ".sweep.lock"


@pytest.fixture
def other(lock):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_driver_is_refused_and_told_who_has_it(lock, other):
    assert owner(lock).pid == other.pid
    with pytest.raises(InputError, match=f"process {other.pid} on .*, since 20.*ecgtune status sweep"), driving(lock):
        pass
    assert owner(lock).pid == other.pid


def test_the_lock_of_a_dead_driver_holds_nobody_up(lock, other):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    # It is still written there, and means nothing.
    assert str(other.pid) in lock.read_text()
    assert owner(lock) is None
    with driving(lock):
        assert owner(lock).pid == os.getpid()


def test_afterwards_nobody_has_it(lock):
    assert owner(lock) is None
    for _ in range(2):
        with driving(lock):
            pass
        assert owner(lock) is None


def test_who_looks_holds_nobody_up(lock):
    """A look takes the lock for a moment; a driver that begins just then waits for it."""
    lock.parent.mkdir()
    with lock.open("w") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        threading.Timer(0.2, look.close).start()
        with driving(lock):
            assert owner(lock) is not None


def test_a_lock_that_was_removed_while_it_was_waited_for_is_none(lock, monkeypatch):
    take, taken = fcntl.flock, []

    def take_late(file, how):
        take(file, how)
        if not taken:
            lock.unlink()
        taken.append(file)

    monkeypatch.setattr(fcntl, "flock", take_late)
    with driving(lock):
        assert len(taken) == 2
        assert lock.exists()


@pytest.fixture
def no_locks(monkeypatch):
    """A file system that knows none."""

    def refuse(file, how):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_without_locks_the_file_is_believed(lock, no_locks):
    with driving(lock):
        assert owner(lock).pid == os.getpid()
        with pytest.raises(InputError, match=r"no locks to tell.*remove .*\.sweep\.lock"), driving(lock):
            pass
    assert owner(lock) is None
    with driving(lock):
        pass


def test_without_locks_a_process_of_this_machine_that_is_gone_is_not_believed(lock, other, no_locks):
    assert owner(lock).pid == other.pid
    other.kill()
    other.wait()
    assert owner(lock) is None
    with driving(lock):
        assert owner(lock).pid == os.getpid()


@pytest.mark.parametrize("how", [{}, {"overwrite": True}, {"resume": True}])
def test_a_sweep_that_is_run_is_left_alone(how, curve_plan, listener):
    plan = curve_plan()
    if how:
        plan.folder.path.mkdir(parents=True)
        plan.folder.write(definition(plan))
    before = sorted(plan.folder.path.iterdir()) if how else []
    with driving(plan.folder.lock), pytest.raises(InputError, match="is being run already"):
        run_sweep(plan, listener, **how)
    assert (sorted(plan.folder.path.iterdir()) if how else []) == before
    assert plan.folder.path.exists() == bool(how)
    assert listener.events == []


def test_a_file_in_place_of_the_results_folder_is_told(tmp_path):
    (tmp_path / "README.md").write_text("")
    told = pytest.raises(InputError, match=r"cannot be made a folder for sweeps \(File exists\).*--results")
    with told, driving(tmp_path / "README.md" / ".mine.lock"):
        pass
