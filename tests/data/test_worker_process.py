"""A process that computes, and dies."""

import inspect
import os
import signal
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ecgtune.data.worker_process import DeadProcessError, WorkerProcess
from ecgtune.errors import DataError

pytestmark = pytest.mark.slow


@pytest.fixture
def process():
    process = WorkerProcess()
    yield process
    process.kill()
    process.close()


def refuse(what):
    raise DataError(f"no {what}")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_sending():
    """The first bytes of a long message are out."""
    connection = inspect.currentframe().f_back.f_locals["connection"]
    os.write(connection.fileno(), struct.pack("!i", 1_000_000) + b"the beginning")
    die()


def pid_and_sum(values, *, more):
    return os.getpid(), values.sum() + more


def test_it_computes_one_thing_after_another(process):
    pids = set()
    for number in range(3):
        # More than a pipe holds.
        pid, total = process(pid_and_sum, np.full(1_000_000, number), more=1)
        assert total == 1_000_000 * number + 1
        pids.add(pid)
    assert len(pids) == 1
    assert pids != {os.getpid()}


def test_what_is_raised_there_is_raised_here_and_tells_where_from(process):
    with pytest.raises(DataError, match="no ECG") as raised:
        process(refuse, "ECG")
    assert "in refuse" in "".join(raised.value.__notes__)
    assert process(len, "it goes on") == 10


@pytest.mark.parametrize("death", [die, die_while_sending])
def test_its_death_is_noticed_whatever_it_was_at(process, death):
    with pytest.raises(DeadProcessError):
        process(death)
    with pytest.raises(DeadProcessError):
        process(len, "")


def test_who_waits_for_it_hears_that_it_was_killed(process):
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(process, signal.pause)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=1.0)
        process.kill()
        with pytest.raises(DeadProcessError):
            waiting.result(timeout=10)


def test_it_ends_when_it_is_closed():
    process = WorkerProcess()
    process.close()
    assert process._process.exitcode == 0
