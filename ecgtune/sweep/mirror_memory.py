"""What a mirror remembers beside its folder: which files were the same here and there, and what is on its way."""

import hashlib
import json
from pathlib import Path

from ecgtune.files import write_text
from ecgtune.remote import Remote, Stamp


class MirrorMemory:
    """Of one sweep.

    Args:
        folder: the sweep's, in the results folder's mirror.
        remote: the results folder at the URI.
    """

    def __init__(self, folder: Path, remote: Remote) -> None:
        self._name, self._remote = folder.name, remote
        self._file = folder.parent / f".{folder.name}.sync.json"
        self._sending = folder.parent / f".{folder.name}.sending.json"

    def known(self) -> dict[str, tuple[Stamp, Stamp]]:
        """Of each file the stamps here and there when both were the same."""
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            return {name: ((a, b), (c, d)) for name, (a, b, c, d) in content.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def remember(self, known: dict[str, tuple[Stamp, Stamp]]) -> None:
        """Know this, and nothing else."""
        write_text(self._file, json.dumps({name: [*here, *there] for name, (here, there) in known.items()}))

    def forget(self) -> None:
        """Know nothing."""
        self._sending.unlink(missing_ok=True)
        self._file.unlink(missing_ok=True)

    def upload(self, name: str, content: bytes, here: Stamp) -> None:
        """Upload a file, and remember it at once: a process that is killed meanwhile knows afterwards what is its.

        Args:
            name: of the file, below the sweep.
            content: what is uploaded.
            here: the stamp of the file that has it.

        Raises:
            RemoteError: the store refused.
        """
        write_text(self._sending, json.dumps([name, hashlib.sha256(content).hexdigest(), *here]))
        self._remote.write(f"{self._name}/{name}", content)
        self.uploaded(name, here)
        self._sending.unlink(missing_ok=True)

    def uploaded(self, name: str, here: Stamp) -> None:
        """The file there is that which has this stamp here."""
        there = self._remote.stamp(f"{self._name}/{name}")
        if there is not None:
            self.remember({**self.known(), name: (here, there)})

    def settled(self) -> dict[str, tuple[Stamp, Stamp]]:
        """What is known, once it is clear whether the file whose upload was cut off has arrived.

        Raises:
            RemoteError: the store refused.
        """
        try:
            name, digest, size, changed = json.loads(self._sending.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return self.known()
        content = self._remote.read(f"{self._name}/{name}")
        if content is not None and hashlib.sha256(content).hexdigest() == digest:
            self.uploaded(name, (size, changed))
        self._sending.unlink(missing_ok=True)
        return self.known()
