"""Names of data sets: they become parts of identities and of file names, so they are kept plain."""

import re
from pathlib import Path

from ecgtune.errors import DataError

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def dataset_name(folder: Path, name: str | None, fallback: str) -> str:
    """The name given, or one made from the folder's own name.

    Args:
        folder: where the data lie.
        name: the user's choice; None takes the folder's name, other characters replaced by `-`.
        fallback: for a folder whose name has no usable character.

    Raises:
        DataError: `name` is not plain.
    """
    if name is None:
        made = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip(".-_")[:64]
        return made if _PLAIN.fullmatch(made) else fallback
    if not _PLAIN.fullmatch(name):
        raise DataError(
            f"the name {name!r} cannot be used for a data set: it must have 1 to 64 letters, digits, "
            "dots, dashes or underscores, and begin with a letter or digit."
        )
    return name


def list_mistakes(where: Path | str, mistakes: list[str]) -> str:
    """One message for all mistakes of a file or folder."""
    if len(mistakes) == 1:
        return f"{where}: {mistakes[0]}"
    shown = mistakes if len(mistakes) <= 20 else [*mistakes[:20], f"and {len(mistakes) - 20} more"]
    return f"{where}: {len(mistakes)} mistakes\n" + "\n".join(f"  - {mistake}" for mistake in shown)
