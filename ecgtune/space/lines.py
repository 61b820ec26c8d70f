"""Where a key stands in a TOML text, for messages."""

import re
from collections.abc import Callable

_TABLE = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""^\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)\s*[=.]""")


def line_finder(text: str) -> Callable[[str, str], int | None]:
    """A function (table, key) -> line number from 1, or None where the text writes it in a way not looked for.

    The table `""` holds the top-level keys and the tables' own headers.
    """
    places: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            name = header.group(1)
            table, dot, rest = name.partition(".")
            places.setdefault(("", table), number)
            if dot:
                places.setdefault((table, rest.strip().strip("\"'")), number)
                # What follows are keys of the inner table, which messages do not name by themselves.
                table = name
        elif key := _KEY.match(line):
            places.setdefault((table, key.group(1).strip("\"'")), number)
    return lambda table, key: places.get((table, key))
