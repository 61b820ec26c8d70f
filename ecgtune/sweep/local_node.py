"""Ray's node on this machine, without the servers that no sweep asks: Ray is up in half the time."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

# How often GCS is asked whether the node is there, in seconds, and for how long; Ray itself asks once a second.
_POLL, _PATIENCE = 0.02, 10.0
# Where nobody listens: the discard port.
_NOWHERE = b"127.0.0.1:9"


@contextmanager
def lean_node() -> Iterator[None]:
    """Within it, `ray.init` starts a node that has what trials need, and no more.

    Left out are three Python processes that Ray would start one after the other, and for the first two of which it has
    no option: the monitor, which asks a cloud for more machines; the dashboard's API server; and the log monitor, which
    copies what workers print to a driver that wants it. Of Ray's internals this replaces two names, for as long as
    `ray.init` runs. A part that another version of Ray calls otherwise is started after all.
    """
    import ray

    internal: Any = ray._private
    with ExitStack() as swaps:
        swaps.enter_context(_swapped(internal, "node", "Node", _lean))
        # Asked whether the node's agent can serve the dashboard, Ray imports what that takes: half a second.
        swaps.enter_context(_swapped(internal, "utils", "get_dashboard_dependency_error", lambda _: _no_dashboard))
        yield


@contextmanager
def _swapped(internal: Any, module: str, name: str, other: Callable[[Any], Any]) -> Iterator[None]:
    """Within it, what `other` makes of it stands in the place of a name, if there is one of that name."""
    owner = getattr(internal, module, None)
    if not hasattr(owner, name):
        yield
        return
    usual = getattr(owner, name)
    setattr(owner, name, other(usual))
    try:
        yield
    finally:
        setattr(owner, name, usual)


def _no_dashboard() -> ImportError:
    return ImportError("a sweep has no use for the dashboard")


def _lean(node: Any) -> Any:
    class LeanNode(node):  # type: ignore[misc]
        def start_monitor(self, *_: Any, **__: Any) -> None:
            pass

        def start_log_monitor(self, *_: Any, **__: Any) -> None:
            pass

        def start_api_server(self, *_: Any, **__: Any) -> None:
            with suppress(Exception):
                _give_address(self.get_gcs_client())

        def start_raylet(self, *args: Any, **kwargs: Any) -> None:
            super().start_raylet(*args, **kwargs)
            with suppress(Exception):
                _await_node(self.get_gcs_client())

    return LeanNode


def _give_address(gcs: Any) -> None:
    """Tell the node's agent an address of the API server: without one it looks, and logs that it did, every second."""
    from ray._private import ray_constants

    name, namespace = ray_constants.DASHBOARD_ADDRESS, ray_constants.KV_NAMESPACE_DASHBOARD
    gcs.internal_kv_put(name.encode(), _NOWHERE, True, namespace)


def _await_node(gcs: Any) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and not gcs.get_all_node_info(timeout=_PATIENCE):
        time.sleep(_POLL)
