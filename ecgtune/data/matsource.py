"""Where the bytes of a MAT-file come from: the file itself, or a compressed part of it, inflated piece by piece."""

import zlib
from pathlib import Path
from typing import BinaryIO, NoReturn, Protocol

from ecgtune.errors import DataError

# Of the order of a processor cache, and large against the cost of a call.
_PACKED, _INFLATED = 1 << 18, 1 << 20


class ByteSource(Protocol):
    """Bytes in one direction."""

    position: int

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes.

        Raises:
            DataError: there are fewer.
        """
        ...

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        ...

    def corrupt(self) -> NoReturn:
        """Tell that what was read makes no sense.

        Raises:
            DataError: always.
        """
        ...


def _corrupt(path: Path, detail: str) -> NoReturn:
    raise DataError(f"{path} is corrupt: {detail}. Copy or download it again.")


class PlainSource:
    """The file itself, from `position` to `size`."""

    def __init__(self, file: BinaryIO, path: Path, size: int, position: int) -> None:
        self.position = position
        self._file, self._path, self._size = file, path, size

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        if self.position + count > self._size:
            raise DataError(f"{self._path} is truncated: it ends after {self._size} bytes. Copy or download it again.")
        self._file.seek(self.position)
        self.position += count
        return self._file.read(count)

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        self.position += count

    def corrupt(self) -> NoReturn:
        """Tell that what was read makes no sense."""
        _corrupt(self._path, f"what it has near byte {self.position} does not fit the format")


class InflatingSource:
    """A compressed element of `size` bytes that begins where `file` stands; counts inflated bytes."""

    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        self.position = 0
        self._file, self._path = file, path
        self._at, self._end = file.tell(), file.tell() + size
        self._inflater = zlib.decompressobj()
        self._ready = memoryview(b"")

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        pieces = []
        missing = count
        while missing:
            piece = self._piece(missing)
            if not piece:
                self.corrupt()
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def skip(self, count: int) -> None:
        """Inflate `count` bytes and let them go."""
        while count:
            piece = self._piece(count)
            if not piece:
                self.corrupt()
            count -= len(piece)

    def finish(self) -> None:
        """Inflate what is left, so that the checksum at the end is compared.

        Raises:
            DataError: the checksum is wrong or missing.
        """
        while self._piece(_INFLATED):
            pass
        if not self._inflater.eof:
            self.corrupt()

    def corrupt(self) -> NoReturn:
        """Tell that what was read makes no sense."""
        _corrupt(self._path, f"its compressed data do not fit the format after {self.position} inflated bytes")

    def _piece(self, most: int) -> bytes:
        """Up to `most` bytes, none at the end."""
        if not self._ready:
            self._ready = memoryview(self._inflated())
        piece = bytes(self._ready[:most])
        self._ready = self._ready[most:]
        self.position += len(piece)
        return piece

    def _inflated(self) -> bytes:
        """The next bytes, none at the end."""
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail
            if not packed:
                # The file is shared with the walker, so it may stand elsewhere by now.
                self._file.seek(self._at)
                packed = self._file.read(min(_PACKED, self._end - self._at))
                self._at += len(packed)
            try:
                inflated = self._inflater.decompress(packed, _INFLATED)
            except zlib.error:
                self.corrupt()
            if inflated or not packed:
                return inflated
        return b""
