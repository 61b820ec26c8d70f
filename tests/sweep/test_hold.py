"""Workers that wait until they are let go."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from ecgtune.sweep.hold import Hold, wait_until_released

WAIT = "from ecgtune.sweep.hold import wait_until_released as wait; print('there', flush=True); wait(); print('gone')"
HOLD = """
import subprocess, sys, time
from ecgtune.sweep.hold import Hold
hold = Hold()
waiting = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(hold._file.name, waiting.pid, flush=True)
time.sleep(60)
"""


@contextmanager
def started(*words):
    with subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_worker_waits_until_it_is_let_go():
    hold = Hold()
    with started(WAIT) as worker:
        assert worker.stdout.readline() == "there\n"
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.3)
        hold.release()
        hold.release()
        assert worker.stdout.readline() == "gone\n"
        assert worker.wait(10) == 0
    assert not Path(hold._file.name).exists()


def test_it_waits_no_longer_than_the_process_lives_that_holds_it(tmp_path):
    with started(HOLD, WAIT) as holder:
        file, waiting = holder.stdout.readline().split()
        assert holder.stdout.readline() == "there\n"
        os.kill(int(waiting), 0)
        holder.send_signal(signal.SIGKILL)
        assert holder.stdout.readline() == "gone\n"
    Path(file).unlink()


def test_nobody_waits_where_nothing_is_held(monkeypatch, tmp_path):
    hold = Hold()
    hold.release()
    wait_until_released()
    monkeypatch.setenv("ECGTUNE_WORKERS_WAIT_FOR", str(tmp_path / "gone"))
    wait_until_released()


def test_who_holds_anew_is_not_let_go_by_the_one_before():
    before, now = Hold(), Hold()
    before.release()
    assert os.environ["ECGTUNE_WORKERS_WAIT_FOR"] == now._file.name
    now.release()
    assert "ECGTUNE_WORKERS_WAIT_FOR" not in os.environ
