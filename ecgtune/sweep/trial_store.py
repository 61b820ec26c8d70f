"""Where a worker finds and leaves the files of its trials: in the sweep's folder, or at a URI."""

import shutil
from pathlib import Path
from typing import Protocol

from ecgtune.files import storage_errors
from ecgtune.remote import Remote, Stamp
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.mirror import is_hidden, stamp
from ecgtune.sweep.remote_model import upload_model
from ecgtune.sweep.scratch import scratch

# Seconds in which a worker tries again what may be over in a while; then its trial is left for `--resume`.
_PATIENCE = 60.0
_PARAMETERS = "parameters.json"


class TrialStore(Protocol):
    """The workers' side of a sweep's storage."""

    @property
    def may_forget(self) -> bool:
        """Whether a driver that takes over may not know of all that was reported to the one before it."""
        ...

    def take_up(self, trial_id: str, parameters: str) -> Path:
        """The folder on this node of the trial with these parameters, as its last worker has left it."""
        ...

    def keep(self, trial_id: str) -> None:
        """Have what is in the trial's folder safe before the driver hears of it.

        Raises:
            StorageError: it cannot be.
        """
        ...

    def place(self, trial_id: str, part: str) -> str:
        """Where a user finds a file of the trial."""
        ...


class LocalTrials:
    """Trials in the sweep's folder, which all nodes see.

    Args:
        sweep: the folder.
    """

    may_forget = False

    def __init__(self, sweep: Path) -> None:
        self._sweep = SweepFolder(sweep)

    def take_up(self, trial_id: str, parameters: str) -> Path:  # noqa: ARG002 a protocol's
        """See `TrialStore`."""
        return self._sweep.trial(trial_id)

    def keep(self, trial_id: str) -> None:
        """See `TrialStore`."""

    def place(self, trial_id: str, part: str) -> str:
        """See `TrialStore`."""
        return str(self._sweep.trial(trial_id) / part)


class RemoteTrials:
    """Trials at a URI; a worker has its trial's files in a folder of its own.

    Args:
        uri: of the results folder.
        sweep: the sweep's name.
    """

    may_forget = True

    def __init__(self, uri: str, sweep: str) -> None:
        self._remote, self._sweep = Remote(uri, patience=_PATIENCE), sweep
        self._kept: dict[str, Stamp | None] = {}

    def take_up(self, trial_id: str, parameters: str) -> Path:
        """See `TrialStore`.

        A driver that was killed may have handed out a trial that the one after it has never heard of, which then
        gives its number to other parameters: nothing of the first is taken for the second's.
        """
        folder = scratch() / trial_id
        with storage_errors(folder):
            for left in scratch().iterdir():
                shutil.rmtree(left)
            folder.mkdir()
        prefix = self._of(trial_id)
        if self._remote.read(f"{prefix}/{_PARAMETERS}") == parameters.encode():
            for name in self._remote.files(prefix):
                self._remote.download(name, folder / name.removeprefix(f"{prefix}/"))
        else:
            self._remote.remove_folder(prefix)
            self._remote.write(f"{prefix}/{_PARAMETERS}", parameters.encode())
        self._kept = dict(_files(folder))
        return folder

    def keep(self, trial_id: str) -> None:
        """See `TrialStore`."""
        folder = scratch() / trial_id
        found = _files(folder)
        changed = [name for name, here in found.items() if self._kept.get(name) != here]
        if any(name.startswith("best/") for name in changed):
            upload_model(self._remote, f"{self._of(trial_id)}/best", folder / "best")
        # The model first: a worker that goes on from the state takes it that the best epoch is kept.
        for name in changed:
            if not name.startswith("best/"):
                self._remote.write(f"{self._of(trial_id)}/{name}", (folder / name).read_bytes())
        self._kept = found

    def place(self, trial_id: str, part: str) -> str:
        """See `TrialStore`."""
        return f"{self._remote.shown}/{self._of(trial_id)}/{part}"

    def _of(self, trial_id: str) -> str:
        return f"{self._sweep}/trials/{trial_id}"


def _files(folder: Path) -> dict[str, Stamp | None]:
    """What is to be kept: an object is whole or not there, so that no state before the newest is needed."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths if not path.name.endswith(".before")}
    return {n: stamp(path) for n, path in names.items() if not is_hidden(n)}
