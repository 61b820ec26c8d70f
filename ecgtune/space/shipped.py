"""The search spaces that come with ecgtune."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from ecgtune.config import Stage
from ecgtune.errors import InputError

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_spaces() -> Mapping[str, Path]:
    """The shipped search spaces, name -> file, sorted by name.

    A wheel holds them inside the package; in a checkout they are beside it.
    """
    for folder in (_PACKAGE / "search_spaces", _PACKAGE.parent / "search_spaces"):
        files = sorted(folder.glob("*.toml"))
        if files:
            return {file.stem: file for file in files}
    return {}


def find_space(name_or_path: str, stage: Stage) -> Path:
    """The file of a search space.

    Args:
        name_or_path: a file, or the name of a shipped space. A name is first looked for with the stage behind it:
            `smoke` means `smoke_emotion` in the emotion stage.
        stage: the stage it is wanted for.

    Raises:
        InputError: there is no such file and no such shipped space.
    """
    shipped = shipped_spaces()
    for name in (f"{name_or_path}_{stage}", name_or_path):
        if name in shipped:
            return shipped[name]
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    close = get_close_matches(name_or_path, shipped, n=1, cutoff=0.6)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise InputError(
        f"there is no search space {name_or_path!r}: no such file, and none of that name is shipped. "
        f"{hint}Shipped are: {', '.join(shipped)}."
    )
