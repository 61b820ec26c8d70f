"""A sweep whose truth lies at a URI: a copy of it in the cache, in which it works as in any folder.

What the trials leave behind (`trials/`) goes from the workers to the URI by itself, and is brought here where it is
needed.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from ecgtune.errors import InputError
from ecgtune.files import replaced
from ecgtune.remote import Remote, Stamp
from ecgtune.sweep.mirror_memory import MirrorMemory
from ecgtune.sweep.remote_lock import taken_over
from ecgtune.sweep.remote_model import CARD, content_of, torn, upload_model

_DEFINITION = "sweep.toml"
_PARAMETERS = re.compile(r"trials/[^/]+/parameters\.json")


def stamp(path: Path) -> Stamp | None:
    """Of a file here; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


class SweepMirror:
    """One sweep at a URI, and its folder here.

    Args:
        folder: of the sweep, in the results folder's mirror.
        remote: the results folder.
    """

    def __init__(self, folder: Path, remote: Remote) -> None:
        self.folder, self.remote, self.name = folder, remote, folder.name
        self._memory = MirrorMemory(folder, remote)

    def pull(self) -> None:
        """Bring the sweep here, `trials/` left aside.

        What was changed here and not there stays: its driver died before it was uploaded. Where somebody else has
        changed the sweep since, all of it is as they left it.

        Raises:
            RemoteError: the store refused.
        """
        known = self._memory.settled()
        there = self._there()
        if known and _same(there, {name: after for name, (_, after) in known.items()}):
            return
        if not known and not there and (self.folder / _DEFINITION).exists():
            return  # Its driver died before anything was uploaded.
        if not there:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._memory.forget()
            return
        for name in set(self._here()) - there.keys():
            (self.folder / name).unlink(missing_ok=True)
        before, known = known, {}
        for name, after in sorted(there.items()):
            path = self.folder / name
            here = stamp(path)
            if here is None or before.get(name) != (here, after):
                self.remote.download(f"{self.name}/{name}", path)
                here = stamp(path)
            if here is not None:
                known[name] = here, after
        self._memory.remember(known)

    def pull_definition(self) -> None:
        """Bring the sweep's definition here, unless it is newer here.

        It is remembered like all that is brought here: once the sweep is gone there, this goes, too.

        Raises:
            RemoteError: the store refused.
        """
        path, name = self.folder / _DEFINITION, f"{self.name}/{_DEFINITION}"
        known, there, content = self._memory.known(), self.remote.stamp(name), self.remote.read(name)
        if there is None or content is None:
            return
        then = known.get(_DEFINITION)
        if then is not None and then[1] == there and then[0] != stamp(path):
            return
        if content_of(path) != content:
            with replaced(path) as temporary:
                temporary.write_bytes(content)
        here = stamp(path)
        if here is not None and then != (here, there):
            self._memory.remember({**known, _DEFINITION: (here, there)})

    def push(self) -> None:
        """Upload what has changed here, `trials/` left aside, so that whoever takes over at any moment can go on.

        The study comes last, as it was at the beginning: whatever it knows, the other files know too.

        Raises:
            EcgtuneError: another driver has been at it.
            RemoteError: the store refused; what was not uploaded is at the next call.
        """
        known = self._memory.settled()
        changed = {name: here for name, here in self._here().items() if name not in known or known[name][0] != here}
        if changed:
            self._refuse_foreign(known)
        study = content_of(self.folder / "study.log") if "study.log" in changed else None
        first = [name for name in changed if name == _DEFINITION and name not in known]
        last = [name for name in ("study.log", _DEFINITION) if name in changed and name not in first]
        model = [name for name in changed if name.startswith("best/")]
        others = [name for name in changed if name not in (*first, *last, *model)]
        for name in (*first, *others):
            self._upload(name, content_of(self.folder / name), changed[name])
        if model:
            sent = upload_model(self.remote, f"{self.name}/best", self.folder / "best")
            for name in model if sent else ():
                self._memory.uploaded(name, changed[name])
        for name in last:
            self._upload(name, study if name == "study.log" else content_of(self.folder / name), changed[name])

    def share(self, name: str) -> None:
        """Upload one file, whoever drives the sweep.

        Raises:
            RemoteError: the store refused.
        """
        here = stamp(self.folder / name)
        if here is not None:
            self._upload(name, content_of(self.folder / name), here)

    def _upload(self, name: str, content: bytes | None, here: Stamp) -> None:
        if content is not None:  # else it is gone again
            self._memory.upload(name, content, here)

    def _refuse_foreign(self, known: dict[str, tuple[Stamp, Stamp]]) -> None:
        """Let nobody's study be overwritten: each driver uploads its own after each trial.

        Raises:
            EcgtuneError: it is not the one that was uploaded from here.
        """
        there = self.remote.stamp(f"{self.name}/study.log")
        if there != (known["study.log"][1] if "study.log" in known else None):
            raise taken_over(self.name, "another driver")

    def fetch(self, below: str, wanted: Callable[[str], bool] = lambda _name: True) -> None:
        """Have a file or a folder of the sweep here as it is there, and not here if it is not there.

        A model that is replaced there meanwhile is brought once more: its card belongs to its weights.

        Args:
            below: the file or folder.
            wanted: whether a file is brought; what is not stays away or as it is.

        Raises:
            RemoteError: the store refused.
        """
        seen: dict[str, Stamp] = {}
        for _ in range(2):
            there = self._below(below)
            damaged = torn(self.folder, seen)
            changed = [
                name
                for name, each in there.items()
                if wanted(name) and (seen.get(name) != each or name.rpartition("/")[0] in damaged)
            ]
            # The card last: without one a model is none.
            for name in sorted(changed, key=lambda name: (name.endswith(f"/{CARD}"), name)):
                self.remote.download(f"{self.name}/{name}", self.folder / name)
            seen = {name: each for name, each in there.items() if wanted(name)}
        target = self.folder / below
        for path in [target] if target.is_file() else list(target.rglob("*")):
            if path.is_file() and path.relative_to(self.folder).as_posix() not in there:
                path.unlink(missing_ok=True)

    def _below(self, below: str) -> dict[str, Stamp]:
        single = self.remote.stamp(f"{self.name}/{below}")
        if single is not None:
            return {below: single}
        return {self._inside(name): each for name, each in self.remote.files(f"{self.name}/{below}").items()}

    def all_here(self) -> dict[str, Stamp]:
        """All files of the sweep here that may be at the URI, those of the trials too."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        names = {path.relative_to(self.folder).as_posix(): stamp(path) for path in paths}
        return {name: here for name, here in names.items() if here and not is_hidden(name)}

    def send(self, before: Mapping[str, Stamp]) -> None:
        """Have changed there what has changed here, and only that.

        Args:
            before: what was here, and there, before it was changed; see `all_here`.

        Raises:
            RemoteError: the store refused.
        """
        after = self.all_here()
        # What is new comes first: a note that says what has gone.
        for name in [name for name, here in after.items() if before.get(name) != here]:
            if _travels(name):
                self.share(name)
            else:
                self.remote.write(f"{self.name}/{name}", (self.folder / name).read_bytes())
        for name in sorted(before.keys() - after.keys()):
            self.remote.remove(f"{self.name}/{name}")
            self._memory.remember({known: stamps for known, stamps in self._memory.known().items() if known != name})

    def require_own(self) -> None:
        """Let nothing be replaced there but a sweep.

        Raises:
            InputError: something else lies there.
            RemoteError: the store refused.
        """
        there = {self._inside(name) for name in self.remote.files(self.name)}
        # Workers of a driver that died at once leave these.
        foreign = sorted(name for name in there if not _PARAMETERS.fullmatch(name))
        if foreign and _DEFINITION not in there:
            raise InputError(
                f"{self.remote.shown}/{self.name} holds {foreign[0]} and is not a sweep, so it is left alone. Choose "
                "another --name."
            )

    def clear(self) -> None:
        """Remove the sweep there, and what is remembered of it."""
        self.remote.remove_folder(self.name)
        self._memory.forget()

    def _inside(self, name: str) -> str:
        return name.removeprefix(f"{self.name}/")

    def _there(self) -> dict[str, Stamp]:
        """What would be brought here; nothing where it is no sweep, which may be of any size."""
        found = {self._inside(name): each for name, each in self.remote.files(self.name).items()}
        if _DEFINITION not in found:
            return {}
        return {name: each for name, each in found.items() if _travels(name)}

    def _here(self) -> dict[str, Stamp]:
        found = {}
        for place in self.folder.iterdir() if self.folder.is_dir() else ():
            for path in place.rglob("*") if place.is_dir() and place.name != "trials" else [place]:
                name, here = path.relative_to(self.folder).as_posix(), stamp(path)
                if path.is_file() and here is not None and _travels(name):
                    found[name] = here
        return found


def _same(there: dict[str, Stamp], known: dict[str, Stamp]) -> bool:
    """Whether nobody else has changed a sweep.

    A copied model is left aside: it follows from the rest, and its upload may have been cut off in its midst.
    """
    names = {name for name in there.keys() | known.keys() if not name.startswith("best/")}
    return all(there.get(name) == known.get(name) for name in names)


def _travels(name: str) -> bool:
    """Whether a file of a sweep is brought here or uploaded with the rest."""
    parts = PurePosixPath(name).parts
    # Dot files are not whole yet; Optuna's lock of its journal is of this machine alone.
    return parts[0] != "trials" and not is_hidden(name) and not parts[0].startswith("study.log.")


def is_hidden(name: str) -> bool:
    """Whether a file is one that is not whole yet, or is in a folder that is not."""
    return any(part.startswith(".") for part in name.split("/"))
