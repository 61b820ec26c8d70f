"""MAT-files of level 5 (MATLAB v5 to v7), read as a stream: one array in memory at a time.

`scipy.io.loadmat` holds a whole variable; here what is not wanted is inflated in small pieces and let go.
Format: "MAT-File Format", The MathWorks, chapter 1 (level 5).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.matsource import ByteSource, InflatingSource, PlainSource
from ecgtune.errors import DataError

MatPath: TypeAlias = tuple[str | int, ...]
Kind: TypeAlias = Literal["number", "char", "cell", "struct", "other"]

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR = 1, 2, 4
_CLASSES_WITH_SHAPE = 15  # functions and opaque objects, above, have a layout of their own
_COMPLEX = 0x0800
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_LONGEST_PATH = 96  # a corrupt file must not nest without end


@dataclass(frozen=True)
class MatNode:
    """An array of the file.

    Args:
        path: variable name, then a field's name, or an element's number counted down the columns, e.g.
            `("DREAMER", 0, "Data", 3, 0, "ECG")`: the element 0 of a 1 x 1 struct is named too.
        kind: `other` stands for sparse matrices, functions and objects, which are not read.
        shape: rows, columns, ...
        values: of a wanted array of numbers, in its MATLAB class; None otherwise.
        text: of a wanted array of characters, one line per row.
        fields: of a struct.
    """

    path: MatPath
    kind: Kind
    shape: tuple[int, ...]
    values: NDArray[np.generic] | None = None
    text: str | None = None
    fields: tuple[str, ...] = ()


def walk_mat(path: Path, wanted: Callable[[MatPath], bool]) -> Iterator[MatNode]:
    """Yield every array of a MAT-file in the file's order, containers before what they contain.

    Args:
        path: the file.
        wanted: tells of each array whether its content is read; where not, it is yielded without values, and what
            it contains is not visited.

    Raises:
        DataError: the file is missing, empty, truncated, corrupt, of version 7.3, or not a MAT-file.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            order = _byte_order(file.read(_HEADER), path)
            source = PlainSource(file, path, size, _HEADER)
            while source.position < size:
                stored, count, _ = _tag(source, order)
                end = source.position + count
                if end > size:
                    raise DataError(
                        f"{path} is truncated: it describes {end} bytes and has {size}. Copy or download it again."
                    )
                if stored == _COMPRESSED:
                    inflating = InflatingSource(file, path, count)
                    stored, count, _ = _tag(inflating, order)
                    if stored == _MATRIX:
                        yield from _Walker(inflating, order, wanted).matrix((), count)
                    inflating.finish()
                elif stored == _MATRIX:
                    yield from _Walker(source, order, wanted).matrix((), count)
                source.skip(end - source.position)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _byte_order(header: bytes, path: Path) -> Literal["<", ">"]:
    if not header:
        raise DataError(f"{path} is empty; a MAT-file is expected.")
    if header.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise DataError(
            f"{path} is a MAT-file of version 7.3 (HDF5); versions 5 to 7 are read. "
            "Save it in MATLAB with `save(name, '-v7')`."
        )
    mark = header[126:128]
    if len(header) < _HEADER or mark not in (b"IM", b"MI"):
        raise DataError(f"{path} is not a MAT-file of version 5 to 7: it does not begin with that format's header.")
    return "<" if mark == b"IM" else ">"


def _tag(source: ByteSource, order: Literal["<", ">"]) -> tuple[int, int, bool]:
    """The type and the size of the next element, and whether its content lies in its tag's second half."""
    byte_order: Literal["little", "big"] = "little" if order == "<" else "big"
    first = int.from_bytes(source.read(4), byte_order)
    if first >> 16:
        return first & 0xFFFF, first >> 16, True
    return first, int.from_bytes(source.read(4), byte_order), False


class _Walker:
    def __init__(self, source: ByteSource, order: Literal["<", ">"], wanted: Callable[[MatPath], bool]) -> None:
        self._source = source
        self._order = order
        self._wanted = wanted

    def matrix(self, path: MatPath, count: int) -> Iterator[MatNode]:
        """Yield the array of `count` bytes that begins here, and what it contains."""
        source = self._source
        end = source.position + count
        if count == 0:  # the format's way to write an empty array inside another
            yield MatNode(path, "number", (0, 0), np.empty((0, 0)))
            return
        flags = self._numbers(end)
        if len(flags) < 1:
            source.corrupt()
        array_class = int(flags[0]) & 0xFF
        if array_class > _CLASSES_WITH_SHAPE:
            yield MatNode(path or ("",), "other", ())
            source.skip(end - source.position)
            return
        shape = tuple(int(side) for side in self._numbers(end))
        if len(shape) < 2 or min(shape) < 0:
            source.corrupt()
        name = self._element(end)[1].decode("latin-1")
        # Only a variable has a name; elements of a cell or struct are known by their place.
        path = path or (name,)
        if array_class in (_CELL, _STRUCT):
            yield from self._container(path, array_class, shape, end)
        elif array_class not in (*_CLASSES, _CHAR):
            yield MatNode(path, "other", shape)
        elif not self._wanted(path):
            yield MatNode(path, "char" if array_class == _CHAR else "number", shape)
        elif array_class == _CHAR:
            yield MatNode(path, "char", shape, text=self._text(shape, end))
        else:
            yield MatNode(path, "number", shape, self._array(array_class, int(flags[0]), shape, end))
        if source.position > end:
            source.corrupt()
        source.skip(end - source.position)

    def _container(self, path: MatPath, array_class: int, shape: tuple[int, ...], end: int) -> Iterator[MatNode]:
        fields: tuple[str, ...] = ()
        if array_class == _STRUCT:
            [length, *_] = [*self._numbers(end), 0]
            names = self._element(end)[1]
            width = max(int(length), 1)
            fields = tuple(
                names[at : at + width].split(b"\0")[0].decode("latin-1") for at in range(0, len(names), width)
            )
        yield MatNode(path, "cell" if array_class == _CELL else "struct", shape, fields=fields)
        if not self._wanted(path):
            return
        per_element: tuple[MatPath, ...] = ((),) if array_class == _CELL else tuple((field,) for field in fields)
        if len(path) > _LONGEST_PATH:
            self._source.corrupt()
        for number in range(math.prod(shape) if per_element else 0):
            for field in per_element:
                stored, count, small = _tag(self._source, self._order)
                if stored != _MATRIX or small or self._source.position + count > end:
                    self._source.corrupt()
                yield from self.matrix((*path, number, *field), count)

    def _element(self, end: int) -> tuple[int, bytes]:
        """The type and content of a simple element, and its padding to 8 bytes passed over."""
        stored, count, small = _tag(self._source, self._order)
        if self._source.position + count > end or (small and count > 4):
            self._source.corrupt()
        content = self._source.read(count)
        padding = 4 - count if small else -count % 8
        self._source.skip(min(padding, end - self._source.position))
        return stored, content

    def _numbers(self, end: int) -> NDArray[np.generic]:
        stored, content = self._element(end)
        if stored not in _STORED or len(content) % np.dtype(_STORED[stored]).itemsize:
            self._source.corrupt()
        return np.frombuffer(content, dtype=self._order + _STORED[stored])

    def _array(self, array_class: int, flags: int, shape: tuple[int, ...], end: int) -> NDArray[np.generic]:
        parts = [self._numbers(end) for _ in range(2 if flags & _COMPLEX else 1)]
        if any(len(part) != math.prod(shape) for part in parts):
            self._source.corrupt()
        # Integers of a small range are stored in few bytes whatever the class, so the class has to be restored.
        values = [part.astype(_CLASSES[array_class]).reshape(shape, order="F") for part in parts]
        if len(values) == 1:
            return values[0]
        both = np.empty(shape, dtype=np.complex128)
        both.real, both.imag = values
        return both

    def _text(self, shape: tuple[int, ...], end: int) -> str:
        stored, content = self._element(end)
        if stored not in _TEXT:
            self._source.corrupt()
        encoding = _TEXT[stored]
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if self._order == "<" else "-be"
        text = content.decode(encoding, errors="replace")
        n_rows = max(shape[0], 1)
        return "\n".join(text[row::n_rows] for row in range(n_rows))
