"""Files at a URI that Ray's `storage_path` takes, such as `s3://BUCKET/PATH`: whole objects, no locks, no appending.

Where the server is not AWS itself, the URI's query or the AWS_* environment variables say so:
`s3://bucket/results?endpoint_override=http://HOST:PORT&region=us-east-1`. Credentials come from the environment or
from `~/.aws`, never from the URI, which is written into files and shown.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from ecgtune.errors import InputError, StorageError
from ecgtune.files import replaced
from ecgtune.uri import refuse_credentials, shown

# What a store's refusal says of itself, in the words of pyarrow and of the AWS library.
_NO_RIGHTS = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|INVALID_CLIENT_TOKEN|UNRECOGNIZED_CLIENT|SIGNATURE|EXPIRED_TOKEN"
    r"|HTTP status 40[13]|response code: 40[13]|credentials|OAuth2",
    re.IGNORECASE,
)
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|bucket does not exist", re.IGNORECASE)
_PASSING = re.compile(
    r"NETWORK_CONNECTION|SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|REQUEST_TIMEOUT|THROTTLING|curlCode|timed? ?out"
    r"|HTTP status 5\d\d|response code: 5\d\d|Status\(UNAVAILABLE",
    re.IGNORECASE,
)

_CONNECT_SECONDS, _REQUEST_SECONDS = 5.0, 20.0
# Size in bytes, and time of the last change in ns: what tells one state of a file from another.
Stamp = tuple[int, int]
_T = TypeVar("_T")
_Absent = TypeVar("_Absent")


class RemoteError(StorageError):
    """A store refused, or cannot be reached.

    Args:
        message: what, where, and what to do.
        passing: whether it may be over in a while.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing

    def __reduce__(self) -> tuple[Any, ...]:
        """With what `args` does not hold, since it crosses the border of Ray's processes."""
        return _again, (str(self), self.passing)


def _again(message: str, passing: bool) -> RemoteError:
    return RemoteError(message, passing=passing)


class Remote:
    """A folder at a URI; names are relative to it, with slashes.

    Args:
        uri: of the folder, which need not exist.
        patience: seconds in which what may be over in a while is tried again.

    Raises:
        InputError: it is no such URI, or holds credentials.
    """

    def __init__(self, uri: str, *, patience: float = 0.0) -> None:
        self.uri, self.shown, self._patience = uri, shown(uri).rstrip("/"), patience
        refuse_credentials(uri)
        from pyarrow import fs, lib

        try:
            found, root = fs.FileSystem.from_uri(uri)
        except (lib.ArrowInvalid, lib.ArrowNotImplementedError, OSError, ValueError) as error:
            said = str(error).replace(uri, self.shown).partition("\n")[0]
            raise InputError(
                f"{self.shown} cannot be used as a place for files: {said}. Give a folder, or a URI like "
                "s3://BUCKET/PATH or s3://BUCKET/PATH?endpoint_override=http://HOST:PORT&region=REGION."
            ) from error
        self._fs, self._root = _hasty(found), root.rstrip("/")

    def __reduce__(self) -> tuple[Any, ...]:
        """A connection does not travel; it is made again."""
        return _connected, (self.uri, self._patience)

    def files(self, below: str = "") -> dict[str, Stamp]:
        """All files in a folder, and below it.

        Raises:
            RemoteError: the store refused.
        """
        from pyarrow import fs

        return {
            each.path.removeprefix(f"{self._root}/"): (each.size, each.mtime_ns)
            for each in self._listed(below, recursive=True)
            if each.type == fs.FileType.File
        }

    def folders(self) -> set[str]:
        """The names of the folders that lie here, not below.

        Raises:
            RemoteError: the store refused.
        """
        from pyarrow import fs

        return {each.base_name for each in self._listed("") if each.type == fs.FileType.Directory}

    def stamp(self, name: str) -> Stamp | None:
        """Of one file; None where there is none."""
        from pyarrow import fs

        (found,) = self._do(lambda: self._fs.get_file_info([self._path(name)]))
        return (found.size, found.mtime_ns) if found.type == fs.FileType.File else None

    def read(self, name: str) -> bytes | None:
        """A file's content; None where there is none."""

        def read() -> bytes:
            with self._fs.open_input_stream(self._path(name)) as file:
                return bytes(file.read())

        return self._if_there(read, None)

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole: whoever reads gets the old or the new content."""

        def write() -> None:
            with self._fs.open_output_stream(self._path(name)) as file:
                file.write(content)

        self._do(write)

    def download(self, name: str, path: Path) -> bool:
        """Bring a file here, whole or not at all; whether it was there."""

        def download() -> bool:
            with (
                self._fs.open_input_stream(self._path(name)) as source,
                replaced(path) as temporary,
                temporary.open("wb") as file,
            ):
                while piece := source.read(2**24):
                    file.write(piece)
            return True

        return self._if_there(download, False)

    def remove(self, name: str) -> None:
        """Remove a file, if there is one."""
        self._if_there(lambda: self._fs.delete_file(self._path(name)), None)

    def remove_folder(self, below: str) -> None:
        """Remove a folder with all that is in it, if there is one."""
        self._if_there(lambda: self._fs.delete_dir(self._path(below)), None)

    def _listed(self, below: str, *, recursive: bool = False) -> list[Any]:
        from pyarrow import fs

        # That a folder may be absent is not left to pyarrow, to which a bucket that is absent is the same.
        selector = fs.FileSelector(self._path(below), recursive=recursive)

        return self._if_there(lambda: list(self._fs.get_file_info(selector)), [])

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")

    def _if_there(self, action: Callable[[], _T], absent: _Absent) -> _T | _Absent:
        """What an action gives, or `absent` where it finds nothing to act on."""

        def tried() -> _T | _Absent:
            try:
                return action()
            except FileNotFoundError:
                return absent

        return self._do(tried)

    def _do(self, action: Callable[[], _T]) -> _T:
        until, pause = time.monotonic() + self._patience, 0.5
        while True:
            try:
                with _refusals(self.shown):
                    return action()
            except RemoteError as error:
                if not error.passing or time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, 10.0)


def _hasty(found: Any) -> Any:
    """The same file system, where no call waits for a server that is gone for longer than a heartbeat may take."""
    limits: dict[str, dict[str, Any]] = {
        "s3": {"connect_timeout": _CONNECT_SECONDS, "request_timeout": _REQUEST_SECONDS},
        "gcs": {"retry_time_limit": timedelta(seconds=_REQUEST_SECONDS)},
    }
    if found.type_name not in limits:
        return found
    # A URI cannot say so, and the only way to all that it did say is the one that pickles it.
    make, (options,) = found.__reduce__()
    return make({**options, **limits[found.type_name]})


def _connected(uri: str, patience: float) -> Remote:
    return Remote(uri, patience=patience)


@contextmanager
def _refusals(place: str) -> Iterator[None]:
    """Turn what the store says into one clear message.

    Raises:
        RemoteError: what, where, and what to do.
    """
    from pyarrow import lib

    try:
        yield
    except StorageError:
        raise
    except (OSError, lib.ArrowException) as error:
        said = " ".join(str(error).split())[:400]
        if _NO_BUCKET.search(said):
            raise RemoteError(f"{place}: there is no such bucket. Make it first, or correct the URI.") from error
        if _PASSING.search(said) and "OAuth2" not in said:
            raise RemoteError(
                f"{place} cannot be reached: is the server up, and the endpoint right (`endpoint_override` in the "
                f"URI, or AWS_ENDPOINT_URL)? It was said: {said}",
                passing=True,
            ) from error
        if _NO_RIGHTS.search(said):
            raise RemoteError(
                f"{place}: the store does not let us in. Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or "
                f"~/.aws/credentials; for gs://, GOOGLE_APPLICATION_CREDENTIALS) and the rights to list, read, write "
                f"and delete there. It was said: {said}"
            ) from error
        raise RemoteError(f"{place} refused: {said}") from error
