"""What is sent to a cluster with a job: the code and the search space; never data or results."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import ecgtune
from ecgtune.errors import InputError
from ecgtune.space.shipped import shipped_spaces

# Where a search-space file of the user's lies in the parcel.
SPACES = "spaces"
_NEVER = ("__pycache__", "*.pyc", ".*")


@dataclass(frozen=True)
class Parcel:
    """A folder that becomes the job's working directory on every node.

    Args:
        folder: where it lies.
        n_files: in it.
        n_bytes: of them.
    """

    folder: Path
    n_files: int
    n_bytes: int

    def __str__(self) -> str:
        return f"{self.n_files} files, {self.n_bytes / 1e6:.1f} MB"


def pack(folder: Path, space: Path | None = None, excludes: Sequence[str] = ()) -> Parcel:
    """Fill an empty folder with the code that runs here, laid out as in a wheel, and a search-space file.

    The code is the installed package or, in a checkout, the working tree as it is, uncommitted changes included.

    Args:
        folder: to fill.
        space: a search-space file that does not come with the package.
        excludes: patterns of files to leave out, e.g. `*.md` or `ecgtune/report/*`.

    Raises:
        InputError: the excludes leave out what the command needs.
    """
    patterns = (*_NEVER, *excludes)
    package = Path(ecgtune.__file__).resolve().parent
    files = {Path("ecgtune") / path.relative_to(package): path for path in package.rglob("*") if path.is_file()}
    files |= {Path("ecgtune/search_spaces") / path.name: path for path in shipped_spaces().values()}
    if space is not None:
        files[Path(SPACES) / space.name] = space
    chosen = {place: file for place, file in files.items() if not _excluded(PurePosixPath(place), patterns)}
    for needed in (Path("ecgtune/__main__.py"), *([Path(SPACES) / space.name] if space else [])):
        if needed not in chosen:
            raise InputError(f"--exclude leaves out {needed}, which the job needs. Choose a narrower pattern.")
    for place, file in chosen.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / place)
    return Parcel(folder, len(chosen), sum(file.stat().st_size for file in chosen.values()))


def _excluded(place: PurePosixPath, patterns: Sequence[str]) -> bool:
    """Whether a pattern meets the path, or the name of any of its parts."""
    return any(fnmatch(text, pattern) for pattern in patterns for text in (str(place), *place.parts))
