"""What a cluster's token is called and where it is looked for. Its value is never printed, logged or written here."""

import os
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ecgtune.errors import InputError

_WHERE = "RAY_AUTH_TOKEN, the file that RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token"


def token_headers(*, nearby: bool = False) -> Mapping[str, str]:
    """The headers that a cluster with token authentication asks for.

    Ray's own rules: nobody's token is sent to a machine unless `RAY_AUTH_MODE` is `token`; where the variable is not
    set, a cluster that runs on this machine gets the token if there is one.

    Args:
        nearby: whether the cluster was found on this machine, and not named by an address.

    Raises:
        InputError: `RAY_AUTH_MODE` asks for a token, and there is none; or it can be none.
    """
    mode = os.environ.get("RAY_AUTH_MODE", "").lower()
    if mode != "token" and (mode or not nearby):
        return {}
    raylet: Any = import_module("ray._raylet")
    loader = raylet.AuthenticationTokenLoader.instance()
    try:
        found = loader.has_token(ignore_auth_mode=True)
    except Exception:  # A file that is not there, or empty; Ray's words might quote what is in it.
        found = False
    if not found and not mode:
        return {}
    if not found:
        raise InputError(
            f"RAY_AUTH_MODE is token, and no token can be read from {_source()}. Put the cluster's token into "
            f"{_WHERE}; `ray get-auth-token` on the head prints it."
        )
    try:
        headers = {name: str(value) for name, value in loader.get_token_for_http_header(ignore_auth_mode=True).items()}
    except UnicodeDecodeError:
        headers = {"": ""}
    # What HTTP cannot send would be a traceback that quotes it.
    if not all(re.fullmatch(r"[!-~]+( [!-~]+)*", value) for value in headers.values()):
        raise InputError(
            f"what {_source()} holds is no token: it has characters other than ASCII letters, digits and signs, or "
            "several lines. `ray get-auth-token` on the head prints the cluster's."
        )
    return headers


def refused(address: str) -> InputError:
    """The error for a cluster that does not take the token, or wants one."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        return InputError(
            f"the cluster at {address} asks for a token, and RAY_AUTH_MODE is not set to token, so none was sent. "
            f"Set it, and put the cluster's token into {_WHERE}; `ray get-auth-token` on the head prints it."
        )
    return InputError(
        f"the cluster at {address} does not take this token (from {_source()}). It has to be the one with which the "
        "head was started; `ray get-auth-token` there prints it."
    )


def _source() -> str:
    """Where Ray has the token from, in its order."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN"
    if os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return f"RAY_AUTH_TOKEN_PATH, {os.environ['RAY_AUTH_TOKEN_PATH']}"
    return "~/.ray/auth_token"
