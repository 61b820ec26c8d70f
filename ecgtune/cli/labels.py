"""`--label`: trials run only on nodes of a cluster that were started with it."""

import re
from typing import Annotated, TypeAlias

import typer

from ecgtune.errors import InputError

Labels: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--label", help="KEY=VALUE that a node must have to run trials; may be given several times."),
]
# Ray's own rules.
_NAME = r"[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?"
_LABEL = re.compile(rf"(?P<key>([a-zA-Z0-9.-]{{1,253}}/)?{_NAME})=(?P<value>{_NAME})")


def labels(given: list[str]) -> dict[str, str]:
    """What `--label` asks for.

    Raises:
        InputError: one is not KEY=VALUE, or two ask for different values of one key.
    """
    found: dict[str, str] = {}
    for each in given:
        match = _LABEL.fullmatch(each)
        if match is None:
            raise InputError(
                f"--label {each}: give KEY=VALUE as in `ray start --labels`, e.g. zone=a; letters, digits, `-`, `_`, "
                "`.`, and in the key a prefix/."
            )
        key, value = match["key"], match["value"]
        if found.setdefault(key, value) != value:
            raise InputError(f"--label {key}={found[key]} and --label {each}: no node has both. Give one of them.")
    return found
