"""The connection to a cluster's dashboard, which takes jobs."""

import ipaddress
import logging
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from ecgtune.errors import EcgtuneError, InputError
from ecgtune.sweep.token import refused, token_headers

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

DEFAULT = "http://127.0.0.1:8265"
_PATIENCE = 10.0


def connect(address: str | None) -> tuple[str, "JobSubmissionClient"]:
    """The dashboard's URL, and a client of it.

    Args:
        address: `http://HOST:8265`; None means `RAY_API_SERVER_ADDRESS`, or this machine.

    Raises:
        InputError: nobody answers there, or not to this token; or it is no address.
    """
    url = _url(address or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT)
    _without_proxy(url)
    _knock(url)
    # Ray prefers the variable to what it is given.
    os.environ["RAY_API_SERVER_ADDRESS"] = url
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    from ray.dashboard.modules import dashboard_sdk
    from ray.dashboard.modules.job import sdk
    from ray.job_submission import JobSubmissionClient

    for module in (dashboard_sdk, sdk):
        module.logger.setLevel(logging.CRITICAL)
    return url, JobSubmissionClient(url)


def _url(address: str) -> str:
    if address.startswith("ray://") or address == "auto":
        raise InputError(f"--address {address}: jobs go to the dashboard; give its address, http://HOST:8265.")
    url = (address if "://" in address else f"http://{address}").rstrip("/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # brackets without an end, a port that is no number or too large
        host, port = "", None
    fits = re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9]+)?", host) and port != 0
    if not fits or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise InputError(f"--address {address}: this is no address. Give the dashboard's, http://HOST:8265.")
    return url


def _without_proxy(url: str) -> None:
    """Ask a dashboard on this machine directly, the end of a tunnel too: the token is nothing for a proxy.

    Elsewhere `http_proxy` and `no_proxy` count, as for every program.
    """
    host = urlsplit(url).hostname or ""
    try:
        nearby = ipaddress.ip_address(host).is_loopback
    except ValueError:
        nearby = host == "localhost"
    if nearby:
        known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        os.environ["no_proxy"] = ",".join([*filter(None, [known]), host])


def _knock(url: str) -> None:
    try:
        answer = requests.get(f"{url}/api/version", headers=dict(token_headers()), timeout=_PATIENCE)
    except (requests.RequestException, ValueError) as error:
        raise InputError(
            f"no Ray dashboard answers at {url} ({type(error).__name__}). It takes the jobs: start the head with "
            "`ray start --head` from an environment with `ecgtune[cluster]`, and give http://HOST:8265; from another "
            "machine the head needs --dashboard-host, or a tunnel (`ssh -L 8265:127.0.0.1:8265 HOST`)."
        ) from error
    if answer.status_code in (401, 403):
        raise refused(url)
    if answer.status_code != 200 or "ray_version" not in answer.text:
        raise InputError(f"what answers at {url} is no Ray dashboard. Give the dashboard's address, http://HOST:8265.")


def lost(url: str, error: Exception) -> EcgtuneError:
    """The error for a cluster that no longer answers."""
    return EcgtuneError(
        f"the cluster at {url} no longer answers ({type(error).__name__}). The sweep's files are where they were; once "
        "the cluster is back, submit the command again with --resume."
    )
