"""Asking the head of a cluster whether it would take us, before Ray does.

Ray itself repeats its question for 20 seconds, printing each answer, and ends with a traceback, whatever the cause.
"""

import json
import os
import platform
from importlib import import_module
from typing import Any

from ecgtune.errors import InputError
from ecgtune.sweep.token import refused, token_headers

# Seconds for one question.
_PATIENCE = 10.0


def knock(address: str) -> None:
    """Ask whether a cluster answers at an address, takes the token, and runs our versions of Ray and Python.

    Args:
        address: `host:port` of the head, or `auto` for the cluster of which this machine is a node.

    Raises:
        InputError: it does not; the message says what to do.
    """
    head = _located(address)
    if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return  # Ray's own certificates: its own connection has to tell.
    _require_same_versions(address, _versions(address, head))


def _located(address: str) -> str:
    """The head's `host:port`."""
    if address.startswith(("http://", "https://")):
        raise InputError(
            f"--address {address} is the address of a dashboard, which takes jobs: "
            f"`ecgtune submit --address {address} -- sweep ...`. To drive the sweep from here, give the head's own "
            "address, HOST:6379."
        )
    if address.startswith("ray://"):
        raise InputError(
            f"--address {address}: a sweep cannot be driven through Ray's client. Use "
            "`ecgtune submit --address http://HOST:8265 -- sweep ...`, or, on a node of the cluster, the head's own "
            "address, HOST:6379."
        )
    if address == "auto":
        from ray._private.services import canonicalize_bootstrap_address

        try:
            found = canonicalize_bootstrap_address("auto")
        except ConnectionError:
            found = None
        if found is None:
            raise InputError("--address auto: no Ray cluster runs on this machine. Start one with `ray start --head`.")
        return str(found)
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16 or any(map(str.isspace, host)):
        raise InputError(f"--address {address}: give the head's HOST:PORT, e.g. 10.0.0.1:6379, or auto.")
    return address


def _found_here() -> bool:
    """Whether `auto` means a cluster of this machine: RAY_ADDRESS may name any; but in a job Ray has set it itself."""
    return not os.environ.get("RAY_ADDRESS") or "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ


def _versions(address: str, head: str) -> dict[str, Any]:
    """What the head says of its versions."""
    import grpc

    # Generated from Ray's own protocol files, so without types.
    messages: Any = import_module("ray.core.generated.gcs_service_pb2")
    services: Any = import_module("ray.core.generated.gcs_service_pb2_grpc")
    question = messages.InternalKVGetRequest(key=b"CLUSTER_METADATA", namespace=b"cluster")
    # As in Ray itself: the head is asked directly, and no proxy sees the token.
    with grpc.insecure_channel(head, options=[("grpc.enable_http_proxy", 0)]) as channel:
        ask = services.InternalKVGcsServiceStub(channel).InternalKVGet
        try:
            headers = token_headers(nearby=address == "auto" and _found_here())
            answer = ask(question, metadata=tuple(headers.items()), timeout=_PATIENCE)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                raise refused(address) from error
            raise InputError(
                f"no Ray cluster answers at {address} ({error.code().name.lower()}). Start one with "
                "`ray start --head`, check host and port (the head's, 6379 if not chosen otherwise; not the "
                "dashboard's 8265); or leave --address out."
            ) from error
    return dict(json.loads(answer.value)) if answer.value else {}


def _require_same_versions(address: str, theirs: dict[str, Any]) -> None:
    import ray

    exact = os.environ.get("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL", "patch") == "patch"
    ours = {"ray_version": ray.__version__, "python_version": platform.python_version()}
    for name, mine in ours.items():
        there = str(theirs.get(name, mine))
        parts = 2 if name == "python_version" and not exact else 3
        if there.split(".")[:parts] != mine.split(".")[:parts]:
            what = {"ray_version": "Ray", "python_version": "Python"}[name]
            raise InputError(
                f"the cluster at {address} runs {what} {there}, and this is {what} {mine}; Ray needs the same on every "
                f"machine. Use an environment with {what} {there} here, or start the cluster with {mine}."
            )
