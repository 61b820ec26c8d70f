import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from ecgtune.data import workers
from ecgtune.data.prepare import prepare
from ecgtune.data.preprocessing import Preparation
from ecgtune.data.recording import Recording
from ecgtune.data.worker_process import DeadProcessError
from ecgtune.errors import DataError, EcgtuneError


@pytest.mark.slow
def test_several_processes_write_the_same_folder(make_reader, tmp_path):
    one = prepare(make_reader(n_subjects=5), tmp_path / "one", workers=1)
    told = []
    two = prepare(
        make_reader(5), tmp_path / "two", workers=2, on_progress=lambda done, total: told.append((done, total))
    )
    assert two.fingerprint == one.fingerprint
    assert two.notes == one.notes
    assert told == [(done, 5) for done in range(1, 6)]


@pytest.mark.slow
def test_a_reader_that_fails_while_processes_work_leaves_nothing(make_reader, tmp_path):
    with pytest.raises(DataError, match="third file is corrupt"):
        prepare(make_reader(n_subjects=5, fails_after=3), tmp_path / "set", workers=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_in_one_message(make_reader, tmp_path):
    def kill(done, total):
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(EcgtuneError, match="a process that prepared a person was killed.*--workers 1"):
        prepare(make_reader(n_subjects=5), tmp_path / "set", workers=2, on_progress=kill)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


@pytest.mark.parametrize(("hours", "n_subjects", "expected"), [(0.1, 1, 0), (0.1, 40, 0), (2.0, 20, 4), (40.0, 1, 0)])
def test_processes_are_started_where_the_data_are_worth_it(make_reader, monkeypatch, hours, n_subjects, expected):
    started = []
    monkeypatch.setattr(workers, "cpu_count", lambda: 4)
    monkeypatch.setattr(workers, "_in_processes", lambda people, preparation, number: iter([started.append(number)]))
    monkeypatch.setattr(workers, "prepare_person", lambda recordings, preparation: ([], []))
    recording = Recording("p", "a", np.zeros((2, round(hours * 3600 / 2))), 1.0, leads=("I", "II"))
    reader = make_reader(0)
    reader.people.update({f"p{number}": [recording] for number in range(n_subjects)})
    list(workers.prepare_people(reader, Preparation()))
    assert started == ([expected] if expected else [])


@pytest.mark.parametrize("threads", [0, 1])
def test_an_interrupt_while_processes_start_is_answered_afterwards(threads):
    reached, over = [], threading.Event()
    # The system hands the signal to whichever thread does not hold it back.
    others = [threading.Thread(target=over.wait) for _ in range(threads)]
    for other in others:
        other.start()
    # What runs in the background of a shell is born deaf to interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            with workers._interrupts_held_back():
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.1)
                reached.append("the end of the block")
            reached.append("what follows it")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
        over.set()
        for other in others:
            other.join()
    assert reached == ["the end of the block"]


def test_nobody_waits_for_what_is_at_work_when_something_fails(monkeypatch):
    ends = []

    class AtWork:
        def __init__(self):
            self.killed = threading.Event()

        def __call__(self, *_):
            ends.append(self.killed.wait(10))
            raise DeadProcessError

        def kill(self):
            self.killed.set()

        def close(self):
            pass

    def people():
        yield []
        raise DataError("the second file is corrupt")

    monkeypatch.setattr(workers, "WorkerProcess", AtWork)
    with pytest.raises(DataError, match="second file"):
        list(workers._in_processes(people(), Preparation(), 2))
    assert ends in ([True], [])  # or it had not begun


def test_no_process_hears_an_interrupt():
    """Also where they are the first ones: Python then starts a process of its own, and lets interrupts through."""
    code = """
import signal
import subprocess
import sys
from ecgtune.data import workers
heard = []
class Process(workers.WorkerProcess):
    def __init__(self):
        super().__init__()
        heard.append(signal.SIGINT not in self(signal.pthread_sigmask, signal.SIG_BLOCK, ()))
workers.WorkerProcess = Process
if __name__ == "__main__":
    list(workers._in_processes(iter([]), None, 2))
    print(heard)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert ran.stdout == "[False, False]\n", ran.stderr


def test_a_thread_may_start_processes_too():
    reached = []

    def start():
        with workers._interrupts_held_back():
            reached.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert reached == [True]
