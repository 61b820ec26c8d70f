"""Uploads what a driver writes, in the background: the training never waits for it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from ecgtune.errors import EcgtuneError
from ecgtune.remote import RemoteError
from ecgtune.sweep.mirror import SweepMirror
from ecgtune.sweep.remote_lock import RemoteLock

# Seconds between two uploads, at least and at most; and of failing ones before the user is told.
INTERVAL = 3.0
_LONGEST = 15.0
_SILENCE = 15.0


class Uploader:
    """Copies a sweep's folder to its URI while the block lasts, and completely at its end.

    Args:
        mirror: of the sweep.
        lock: held.
        tell: takes a sentence.
        patience: seconds in which the last upload is tried again.
    """

    def __init__(self, mirror: SweepMirror, lock: RemoteLock, tell: Callable[[str], None], patience: float) -> None:
        self._mirror, self._lock, self._tell, self._patience = mirror, lock, tell, patience
        self._later: dict[str, list[Callable[[], None]]] = {}
        self._wake, self._over = threading.Event(), threading.Event()
        # Held while something at the URI is changed, and while what is to go there is chosen.
        self._busy, self._choosing = threading.Lock(), threading.RLock()
        self.lost: EcgtuneError | None = None
        """Why nothing is uploaded any more, if that is so."""
        self._thread = threading.Thread(target=self._live, name="uploader", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._wake.set()
        self._thread.join()
        self._last(error)

    def later(self, trial_id: str, action: Callable[[], None]) -> None:
        """Do something to a trial's files there, once what is written here by now is uploaded."""
        with self._choosing:
            self._later.setdefault(trial_id, []).append(action)

    def never(self, trial_id: str) -> None:
        """Do not do any more what was to be done to a trial later."""
        with self._choosing:
            self._later.pop(trial_id, None)

    def hurry(self) -> None:
        """Upload soon."""
        self._wake.set()

    @contextmanager
    def paused(self) -> Iterator[RemoteLock]:
        """Upload nothing within the block."""
        with self._busy:
            yield self._lock

    def _live(self) -> None:
        failing: float | None = None
        told, pause = False, INTERVAL
        while not self._over.is_set() and self.lost is None:
            self._wake.wait(pause)
            self._wake.clear()
            if self._over.is_set():
                return
            begun = time.monotonic()
            try:
                self._upload()
            except RemoteError as error:
                failing = failing or begun
                if not told and time.monotonic() - failing > _SILENCE:
                    told = True
                    self._tell(f"nothing is uploaded for the moment, and it is tried again: {error}")
            except EcgtuneError as error:
                self.lost = error
                self._tell(str(error))
            except Exception as error:  # a folder that is being replaced, for instance
                failing = failing or begun
                if not told and time.monotonic() - failing > _SILENCE:
                    told = True
                    self._tell(f"nothing is uploaded for the moment, and it is tried again: {error}")
            else:
                if told:
                    self._tell("what was waiting is uploaded.")
                failing, told = None, False
            # What takes long is done less often.
            pause = max(INTERVAL, min(_LONGEST, 3 * (time.monotonic() - begun)))
            self._over.wait(min(1.0, pause))

    def _upload(self) -> None:
        with self._busy:
            self._lock.beat()
            with self._choosing:
                chosen = [(trial_id, action) for trial_id, actions in self._later.items() for action in actions]
            self._mirror.push()
            for trial_id, action in chosen:
                # Not beside a worker that has just taken up the trial, nor what was asked for since.
                with self._choosing:
                    queued = self._later.get(trial_id, [])
                    if any(each is action for each in queued):
                        action()
                        self._later[trial_id] = [each for each in queued if each is not action]
            with self._choosing:
                self._later = {trial_id: actions for trial_id, actions in self._later.items() if actions}

    def _last(self, error: BaseException | None) -> None:
        """Upload what is left, and say where it is if that cannot be done."""
        until, pause = time.monotonic() + self._patience, 0.5
        while self.lost is None:
            try:
                self._upload()
                # What was done last may have written something, too.
                self._mirror.push()
                return
            except RemoteError as refused:
                if not refused.passing or time.monotonic() > until:
                    self.lost = refused
            except EcgtuneError as lost:
                self.lost = lost
            time.sleep(pause)
            pause = min(2 * pause, 10.0)
        if error is not None and error is not self.lost:
            self._tell(str(error))
        if not isinstance(self.lost, RemoteError):
            raise self.lost
        raise EcgtuneError(
            f"not all of {self._mirror.name} is at {self._mirror.remote.shown}: {self.lost} All of it is in "
            f"{self._mirror.folder}; `--resume` from this machine uploads it."
        ) from self.lost
