"""One driver per sweep."""

import os
import signal
import subprocess
import sys
import time

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
    return tmp_path / "sweep" / "lock"


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


def test_looking_takes_no_lock(lock, other):
    for _ in range(3):
        assert owner(lock) is not None
    other.kill()
    other.wait()
    deadline = time.monotonic() + 5
    while owner(lock) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    with driving(lock):
        pass


@pytest.mark.parametrize("how", [{}, {"overwrite": True}, {"resume": True}])
def test_a_sweep_that_is_run_is_left_alone(how, curve_plan, listener):
    plan = curve_plan()
    plan.folder.path.mkdir(parents=True)
    if how:
        plan.folder.write(definition(plan))
    with driving(plan.folder.lock):
        before = sorted(path.name for path in plan.folder.path.iterdir())
        with pytest.raises(InputError, match=r"is being run already|exists already"):
            run_sweep(plan, listener, **how)
        assert sorted(path.name for path in plan.folder.path.iterdir()) == before
