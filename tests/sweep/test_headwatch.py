import socket
import threading
import time

import pytest

from ecgtune.sweep import headwatch


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(headwatch, "_EVERY", 0.02)


def test_a_head_that_goes_and_comes_back_is_told_once_each():
    told, gone, back = [], threading.Event(), threading.Event()

    def tell(message):
        told.append(message)
        (gone if "no longer answers" in message else back).set()

    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    with headwatch.watching_head(f"127.0.0.1:{port}", tell):
        assert not gone.wait(0.2)
        server.close()
        assert gone.wait(10)
        time.sleep(10 * headwatch._EVERY)
        assert len(told) == 1, "once, however long it stays away"
        server = socket.create_server(("127.0.0.1", port))
        assert back.wait(10)
    server.close()
    assert len(told) == 2
    assert "--resume" in told[0]


def test_a_head_that_is_slow_now_and_then_is_not_told(monkeypatch):
    told, all_asked, answers = [], threading.Event(), iter([False, False, True, False, False, True])

    def answer(address):
        try:
            return next(answers)
        except StopIteration:
            all_asked.set()
            return True

    monkeypatch.setattr(headwatch, "_answers", answer)
    with headwatch.watching_head("127.0.0.1:1", told.append):
        assert all_asked.wait(10)
    assert told == []


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this system has no IPv6")
def test_a_head_with_an_ipv6_address_is_heard():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert headwatch._answers(f"[::1]:{server.getsockname()[1]}")


def test_there_is_nothing_to_watch_without_a_cluster():
    before = threading.active_count()
    with headwatch.watching_head(None, lambda message: None):
        assert threading.active_count() == before
