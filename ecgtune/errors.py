"""Errors that reach a user.

The command line shows the message alone, without a traceback, and exits with `exit_code`:

    EcgtuneError (1: the work failed)
    ├── InputError (2: what the user gave is wrong)
    │   ├── DataError       a recording, a data file or a data-set folder
    │   ├── ConfigError     a parameter, a configuration or search-space file
    │   └── LeakError       a split that puts one person on both sides
    └── StorageError (2: the place that the user gave cannot be written)

A message says what is wrong, where, what is allowed and what to do.
"""

from collections.abc import Sequence
from typing import ClassVar


class EcgtuneError(Exception):
    """The work failed for a reason that can be told in one message."""

    exit_code: ClassVar[int] = 1


class InputError(EcgtuneError):
    """What the user gave is wrong."""

    exit_code: ClassVar[int] = 2


class DataError(InputError):
    """A recording, a data file or a data-set folder cannot be used."""


class ConfigError(InputError):
    """A parameter, a configuration file or a search-space file is wrong.

    Args:
        where: the file or object that holds the mistakes.
        mistakes: all of them, so that one reading mends the file.
    """

    def __init__(self, where: str, mistakes: Sequence[str]) -> None:
        self.where = where
        self.mistakes = tuple(mistakes)
        if len(self.mistakes) == 1:
            text = f"{where}: {self.mistakes[0]}"
        else:
            text = f"{where}: {len(self.mistakes)} mistakes\n" + "\n".join(
                f"  - {mistake}" for mistake in self.mistakes
            )
        super().__init__(text)

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[str, tuple[str, ...]]]:
        """Pickled by its arguments, since it crosses the border of Ray's processes; `args` holds the message alone."""
        return type(self), (self.where, self.mistakes)


class LeakError(InputError):
    """A split puts one person on both sides."""


class StorageError(EcgtuneError):
    """The disk refused a write: no space, no quota, no permission."""

    exit_code: ClassVar[int] = 2
