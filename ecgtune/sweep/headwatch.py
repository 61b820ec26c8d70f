"""Saying that the head of a cluster is gone, while Ray still hopes for its return."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds between two looks, and looks in vain until something is said.
_EVERY, _LOOKS = 3.0, 3


@contextmanager
def watching_head(address: str | None, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell once when the head stops answering, and when it is back.

    Ray itself waits for a minute (`RAY_gcs_rpc_server_reconnect_timeout_s`) and then ends this process without asking;
    everything that the sweep knows is on disk by then.

    Args:
        address: the head's `host:port`; None where there is nothing to watch.
        tell: takes a sentence.
    """
    if address is None:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(address, tell, over), name="headwatch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _watch(address: str, tell: Callable[[str], None], over: threading.Event) -> None:
    missed = 0
    while not over.wait(_EVERY):
        if _answers(address):
            if missed >= _LOOKS:
                tell(f"the cluster's head at {address} is back.")
            missed = 0
            continue
        missed += 1
        if missed == _LOOKS:
            tell(
                f"the cluster's head at {address} no longer answers. If it stays away, this command ends within a "
                "minute (exit code 1); what had ended is on disk. Once the head is back, run it again with --resume."
            )


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        # An IPv6 address stands in brackets before its port.
        socket.create_connection((host.strip("[]"), int(port)), timeout=_EVERY).close()
    except OSError:
        return False
    return True
