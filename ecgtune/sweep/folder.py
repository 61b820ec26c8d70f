"""Where things lie in a sweep's folder, and which sweeps a results folder holds."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from ecgtune.errors import InputError
from ecgtune.files import write_text
from ecgtune.sweep.remote_results import bring_model, refreshed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class SweepFolder:
    """`results/NAME/`. Only paths and `sweep.toml`; who owns a file writes it."""

    path: Path

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.path.name

    @property
    def definition(self) -> Path:
        """Everything that defines the sweep."""
        return self.path / "sweep.toml"

    @property
    def study(self) -> Path:
        """The Optuna study, a journal of JSON lines."""
        return self.path / "study.log"

    @property
    def trials_table(self) -> Path:
        """One row per trial."""
        return self.path / "trials.csv"

    @property
    def epochs_table(self) -> Path:
        """One row per trial and epoch."""
        return self.path / "epochs.csv"

    @property
    def best(self) -> Path:
        """The winner's model."""
        return self.path / "best"

    @property
    def lock(self) -> Path:
        """Held by whoever drives the sweep; beside the folder, which may be replaced."""
        return self.path.parent / f".{self.name}.lock"

    @property
    def retention_log(self) -> Path:
        """One line per model that was not kept."""
        return self.path / "retention.log"

    @property
    def tensorboard(self) -> Path:
        """One TensorBoard run per trial, and `sweep` for all."""
        return self.path / "tensorboard"

    def trial(self, trial_id: str) -> Path:
        """What one trial leaves behind."""
        return self.path / "trials" / trial_id

    def read(self) -> dict[str, Any]:
        """The content of `sweep.toml`.

        Raises:
            InputError: it is missing or no TOML.
        """
        try:
            return tomllib.loads(self.definition.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            if self.path.exists():
                raise InputError(f"{self.path} is not a sweep: it has no sweep.toml.") from error
            there = ", ".join(sorted(each.parent.name for each in self.path.parent.glob("*/sweep.toml"))) or "none"
            raise InputError(
                f"there is no sweep {self.path.name} in {self.path.parent} (there are: {there}); --results names "
                "another folder of sweeps."
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{self.definition} cannot be read: {error}.") from error

    def write(self, content: dict[str, Any]) -> None:
        """Write `sweep.toml` atomically."""
        write_text(self.definition, tomli_w.dumps(content))


def sweep_folder(results: Path, name: str) -> SweepFolder:
    """The folder of the sweep `name` in `results`; where those stand for a URI, it is brought here first.

    Raises:
        InputError: the name could lead out of the results folder, or is awkward on a file system.
        RemoteError: the store at the URI refused.
    """
    require_name(name)
    refreshed(results, [name])
    return SweepFolder(results / name)


def require_name(name: str) -> None:
    """Check that a text can name a sweep.

    Raises:
        InputError: it could lead out of the results folder, or is awkward on a file system.
    """
    if not is_name(name):
        raise InputError(
            f"{name!r} cannot name a sweep. Use up to 100 letters, digits, dots, dashes and underscores, "
            "beginning with a letter or digit, without two dots in a row."
        )


def is_name(text: str) -> bool:
    """Whether a text can name a sweep."""
    return _NAME.fullmatch(text) is not None and ".." not in text


def sweeps(results: Path) -> Iterator[SweepFolder]:
    """The sweeps in a results folder, the oldest first; what cannot be read as one is passed over.

    Where the folder stands for a URI, they are brought here first.

    Raises:
        RemoteError: the store at the URI refused.
    """
    refreshed(results)
    found = []
    for path in results.iterdir() if results.is_dir() else ():
        folder = SweepFolder(path)
        try:
            found.append((str(folder.read()["created"]), folder.name, folder))
        except (InputError, KeyError, OSError):
            continue
    for _, _, folder in sorted(found, key=lambda entry: entry[:2]):
        yield folder


def find_pretext_model(results: Path, wanted: str | None) -> Path:
    """The model folder that the emotion stage starts from.

    Args:
        results: the results folder.
        wanted: a sweep's name, a sweep's folder or a model folder; None means the newest finished pretext sweep.

    Raises:
        InputError: there is none.
    """
    if wanted is None:
        for folder in reversed(list(sweeps(results))):
            content = folder.read()
            finished = content.get("state") == "finished" and (folder.best / "model.json").is_file()
            if finished and content["sweep"]["stage"] == "pretext":
                bring_model(results, folder.best)
                return folder.best
        raise InputError(
            f"{results} has no finished pretext sweep. Run `ecgtune sweep pretext` first, or name one with --pretext."
        )
    candidates = [Path(wanted), Path(wanted) / "best"]
    if is_name(wanted):
        refreshed(results, [wanted])
        candidates.append(results / wanted / "best")
    for candidate in candidates:
        if (candidate / "model.json").is_file():
            bring_model(results, candidate)
            return candidate
    with_model = [each for each in sweeps(results) if (each.best / "model.json").is_file()]
    known = ", ".join(each.name for each in with_model if each.read()["sweep"]["stage"] == "pretext") or "none"
    raise InputError(
        f"--pretext {wanted}: no model there. Give the name of a pretext sweep in {results} that has one "
        f"(these have: {known}), or a folder with a model.json."
    )
