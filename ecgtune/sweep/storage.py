"""Where a sweep's files lie beside the folder that its driver works in: nowhere, or at a URI."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from ecgtune.errors import EcgtuneError, StorageError
from ecgtune.files import storage_errors
from ecgtune.remote import Remote, RemoteError
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.keeper import STATE
from ecgtune.sweep.lock import Owner, owner
from ecgtune.sweep.mirror import SweepMirror
from ecgtune.sweep.references import References
from ecgtune.sweep.remote_lock import RemoteLock
from ecgtune.sweep.remote_results import bring_definitions, pulling
from ecgtune.sweep.retention import Removed, remove_weights, tell_removed
from ecgtune.sweep.trial_store import LocalTrials, RemoteTrials, TrialStore
from ecgtune.sweep.uploader import Uploader
from ecgtune.training.removed import NOTE
from ecgtune.training.state import drop_state
from ecgtune.uri import uri_of

# Seconds in which a worker, and the driver at its end, try again what may be over in a while.
PATIENCE = 60.0
_MOMENT = 10.0


class Storage(Protocol):
    """The driver's side."""

    @property
    def trials(self) -> TrialStore:
        """The workers' side."""
        ...

    def driving(self, tell: Callable[[str], None]) -> AbstractContextManager[None]:
        """Be the only driver within the block; what the folder holds is safe at its end.

        Raises:
            InputError: another driver is alive.
            EcgtuneError: at the end, something could not be uploaded.
        """
        ...

    def require_free(self) -> None:
        """Whether a sweep may begin here that replaces what there is.

        Raises:
            InputError: what there is is no sweep.
        """
        ...

    def clear(self) -> None:
        """The sweep is removed from its folder, to begin anew.

        Raises:
            InputError: what there is is no sweep.
        """
        ...

    def fetch(self, trial_id: str, part: str) -> None:
        """Have a file or folder of a trial in the sweep's folder, as a worker has left it."""
        ...

    def share(self, trial_id: str, part: str) -> None:
        """Let workers know of a trial's file that was written in the sweep's folder."""
        ...

    def drop_state(self, trial_id: str) -> None:
        """Remove the states of a trial, once all that has been written so far is safe."""
        ...

    def remove_weights(self, trial_id: str, keep: int) -> Removed:
        """Remove the weights of a trial, once all that has been written so far is safe; what went at once."""
        ...

    def woken(self, trial_id: str) -> None:
        """A worker takes up a trial: nothing of it is to go any more."""
        ...

    def hurry(self) -> None:
        """Something was written that is worth not to be lost."""
        ...


class LocalStorage:
    """The folder is all there is.

    Args:
        folder: of the sweep.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder

    @property
    def trials(self) -> TrialStore:
        """See `Storage`."""
        return LocalTrials(self._folder.path.resolve())

    def driving(self, tell: Callable[[str], None]) -> AbstractContextManager[None]:  # noqa: ARG002 a protocol's
        """See `Storage`."""
        return nullcontext()

    def require_free(self) -> None:
        """See `Storage`."""

    def clear(self) -> None:
        """See `Storage`."""

    def fetch(self, trial_id: str, part: str) -> None:
        """See `Storage`."""

    def share(self, trial_id: str, part: str) -> None:
        """See `Storage`."""

    def drop_state(self, trial_id: str) -> None:
        """See `Storage`."""
        drop_state(self._folder.trial(trial_id) / STATE)

    def remove_weights(self, trial_id: str, keep: int) -> Removed:
        """See `Storage`."""
        return remove_weights(self._folder, trial_id, keep)

    def woken(self, trial_id: str) -> None:
        """See `Storage`."""

    def hurry(self) -> None:
        """See `Storage`."""


class RemoteStorage:
    """The folder is a copy of what lies at a URI; see `ecgtune.sweep.mirror`.

    Args:
        folder: of the sweep.
        uri: of the results folder.
    """

    def __init__(self, folder: SweepFolder, uri: str) -> None:
        self._folder, self._uri = folder, uri
        # The uploader has patience of its own; what the driver waits for may fail for a moment.
        self._mirror = SweepMirror(folder.path, Remote(uri))
        self._patient = SweepMirror(folder.path, Remote(uri, patience=_MOMENT))
        self._uploader: Uploader | None = None
        # Why the best model so far, which nobody has asked for again, is not here.
        self._unfetched: RemoteError | None = None

    @property
    def trials(self) -> TrialStore:
        """See `Storage`."""
        return RemoteTrials(self._uri, self._folder.name)

    @contextmanager
    def driving(self, tell: Callable[[str], None]) -> Iterator[None]:
        """See `Storage`."""
        lock = RemoteLock(self._mirror.remote, self._folder.name)
        with lock.holding():
            # After a look by this machine's other processes, who leave the folder alone once its lock is held.
            with pulling(self._folder.path):
                self._mirror.pull()
            self._uploader = Uploader(self._mirror, lock, tell, PATIENCE)
            with self._uploader:
                yield
        if self._unfetched is not None:
            raise EcgtuneError(
                f"the best model of {self._folder.name} could not be copied to best/: {self._unfetched} `--resume` "
                "copies it."
            ) from self._unfetched

    def require_free(self) -> None:
        """See `Storage`."""
        self._mirror.require_own()

    def clear(self) -> None:
        """See `Storage`."""
        with self._uploading().paused() as lock:
            # The cluster may have taken long to start.
            lock.beat()
            self._mirror.require_own()
            self._mirror.clear()

    def fetch(self, trial_id: str, part: str) -> None:
        """See `Storage`."""
        try:
            self._patient.fetch(f"trials/{trial_id}/{part}")
        except RemoteError as error:
            if part == "best":
                self._unfetched = error
            raise
        if part == "best":
            self._unfetched = None

    def share(self, trial_id: str, part: str) -> None:
        """See `Storage`."""
        content = (self._folder.trial(trial_id) / part).read_bytes()
        self._patient.remote.write(self._of(trial_id, part), content)

    def drop_state(self, trial_id: str) -> None:
        """See `Storage`."""
        drop_state(self._folder.trial(trial_id) / STATE)
        self._uploading().later(trial_id, lambda: self._mirror.remote.remove(self._of(trial_id, STATE)))

    def remove_weights(self, trial_id: str, keep: int) -> Removed:
        """See `Storage`."""
        self._uploading().later(trial_id, lambda: self._remove_weights(trial_id, keep))
        return Removed(trial_id, 0)

    def woken(self, trial_id: str) -> None:
        """See `Storage`."""
        self._uploading().never(trial_id)

    def hurry(self) -> None:
        """See `Storage`."""
        self._uploading().hurry()

    def _remove_weights(self, trial_id: str, keep: int) -> None:
        remote, model = self._mirror.remote, self._folder.trial(trial_id) / "best"
        found = {name: size for name, (size, _) in remote.files(self._of(trial_id, "best")).items()}
        weights = [name for name in found if name.endswith(".safetensors")]
        bring_definitions(self._folder.path.parent, remote)
        if not weights or trial_id in References(self._folder.path.parent).trials(self._folder):
            return
        with storage_errors(model):
            model.mkdir(parents=True, exist_ok=True)
            tell_removed(self._folder, trial_id, keep, sum(found[name] for name in weights))
            remote.write(self._of(trial_id, f"best/{NOTE}"), (model / NOTE).read_bytes())
            for name in weights:
                remote.remove(name)
                (model / Path(name).name).unlink(missing_ok=True)

    def _of(self, trial_id: str, part: str) -> str:
        return f"{self._folder.name}/trials/{trial_id}/{part}"

    def _uploading(self) -> Uploader:
        if self._uploader is None:
            raise StorageError(f"{self._folder.name} is not being driven by this process.")
        if self._uploader.lost is not None:
            raise self._uploader.lost
        return self._uploader


def storage_of(folder: SweepFolder) -> Storage:
    """Where a sweep's files lie.

    Raises:
        InputError: what it stands for is no URI of a place for files.
    """
    uri = uri_of(folder.path.parent)
    return LocalStorage(folder) if uri is None else RemoteStorage(folder, uri)


def driver(folder: SweepFolder) -> Owner | None:
    """Who drives a sweep now, here or elsewhere; None where nobody does, or nobody can tell."""
    here, uri = owner(folder.lock), uri_of(folder.path.parent)
    if here is not None or uri is None:
        return here
    try:
        return RemoteLock(Remote(uri), folder.name).owner()
    except RemoteError:
        return None


@contextmanager
def cleaning(folder: SweepFolder) -> Iterator[None]:
    """Be the only one that changes a sweep; what goes from its folder within the block goes from its URI, too.

    Whatever was seen before may have changed by now, so it is brought here anew.

    Raises:
        InputError: a driver elsewhere is alive.
        RemoteError: the store refused.
    """
    uri = uri_of(folder.path.parent)
    if uri is None:
        yield
        return
    mirror = SweepMirror(folder.path, Remote(uri))
    lock = RemoteLock(mirror.remote, folder.name)
    with lock.holding():
        with pulling(folder.path):
            mirror.pull()
            mirror.fetch("trials")
        bring_definitions(folder.path.parent, mirror.remote)
        before = mirror.all_here()
        yield
        lock.beat()
        if folder.definition.exists():
            mirror.send(before)
        elif "sweep.toml" in before:
            mirror.clear()
