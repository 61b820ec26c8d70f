"""The two consoles: results go to standard output, messages and progress to standard error."""

from functools import cache

from rich.console import Console
from rich.text import Text


@cache
def stdout() -> Console:
    """Where results are printed."""
    return Console(highlight=False)


@cache
def stderr() -> Console:
    """Where messages and progress are printed."""
    return Console(stderr=True, highlight=False)


def show_error(message: str) -> None:
    """Print an error's message; long lines are left to the terminal, so that they can be copied and searched."""
    stderr().print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)
