"""Signals while a sweep begins and ends."""

import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from ecgtune.cli.heard import heard_once

TWICE = """
import os, signal, time
from ecgtune.cli.heard import heard_once
try:
    with heard_once(lambda line: print(line.partition(";")[0], flush=True)):
        try:
            os.kill(os.getpid(), signal.{first})
            time.sleep(5)
        finally:
            os.kill(os.getpid(), signal.{second})
            print("the end is whole", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
os.kill(os.getpid(), signal.{second})
print("also afterwards")
"""


@pytest.mark.parametrize(("first", "second"), [("SIGINT", "SIGINT"), ("SIGTERM", "SIGINT"), ("SIGINT", "SIGTERM")])
def test_the_first_is_heard_and_no_other_breaks_off_the_end(first, second):
    code = TWICE.format(first=first, second=second)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout.splitlines() == ["stopping", "the end is whole", "interrupted", "also afterwards"]


def test_one_that_an_import_has_swallowed_is_not_lost():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(KeyboardInterrupt), heard_once(lambda _: None) as require_silence:
            require_silence()
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            require_silence()
            pytest.fail("it was lost")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_where_none_came_all_is_as_before():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with heard_once(lambda _: None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_another_thread_hears_nothing():
    reached = []

    def run():
        with heard_once(lambda _: None) as require_silence:
            require_silence()
            reached.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert reached == [True]
