"""MAT-files of level 5, written as a stream: large arrays are made when their turn comes, and let go.

The counterpart of `matfile`. Sizes stand before contents in the format, so shapes are given beforehand.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

_INT8, _UINT8, _UINT16, _INT32, _UINT32, _DOUBLE, _MATRIX, _COMPRESSED = 1, 2, 4, 5, 6, 9, 14, 15
_CELL, _STRUCT, _CHAR, _DOUBLE_CLASS = 1, 2, 4, 6
_STORED = {"f8": (_DOUBLE, 8), "u1": (_UINT8, 1)}
_FIELD_WIDTH = 32


@dataclass(frozen=True)
class Numbers:
    """Doubles [rows, columns], made when they are written.

    Args:
        shape: rows and columns.
        make: gives the array.
        stored: `u1` stores whole numbers from 0 to 255 in a byte each, as MATLAB does.
    """

    shape: tuple[int, int]
    make: Callable[[], NDArray[np.floating]]
    stored: Literal["f8", "u1"] = "f8"


@dataclass(frozen=True)
class Cell:
    """A cell array [rows, columns] of `items`, counted down the columns."""

    shape: tuple[int, int]
    items: "Sequence[MatValue]"


MatValue: TypeAlias = "Numbers | Cell | Mapping[str, MatValue] | str | float"


def write_mat(path: Path, name: str, value: MatValue, *, level: int = 1) -> None:
    """Write a file with one compressed variable.

    Args:
        path: the file; what is there is overwritten.
        name: the variable.
        value: a mapping becomes a 1 x 1 struct, a string a row of characters, a number a 1 x 1 double.
        level: of compression, 1 (fast) to 9 (small).
    """
    packer = zlib.compressobj(level)
    with path.open("wb") as file:
        file.write(b"MATLAB 5.0 MAT-file, written by ecgtune".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49))
        tag = file.tell()
        file.write(bytes(8))
        for piece in _pieces(value, name):
            file.write(packer.compress(piece))
        file.write(packer.flush())
        size = file.tell() - tag - 8
        file.seek(tag)
        file.write(struct.pack("<II", _COMPRESSED, size))


def _padded(count: int) -> int:
    return count + -count % 8


def _element(stored: int, content: bytes) -> bytes:
    return struct.pack("<II", stored, len(content)) + content.ljust(_padded(len(content)), b"\0")


def _head(array_class: int, shape: tuple[int, int], name: str) -> bytes:
    return (
        _element(_UINT32, struct.pack("<II", array_class, 0))
        + _element(_INT32, struct.pack("<ii", *shape))
        + _element(_INT8, name.encode("ascii"))
    )


def _size(value: MatValue, name: str = "") -> int:
    """The bytes after the tag of the value's element."""
    head = 16 + 16 + 8 + _padded(len(name))
    match value:
        case Numbers(shape, _, stored):
            return head + 8 + _padded(prod(shape) * _STORED[stored][1])
        case Cell(_, items):
            return head + sum(8 + _size(item) for item in items)
        case str():
            return head + 8 + _padded(2 * len(value))
        case float() | int():
            return head + 16
        case _:
            return head + 8 + 8 + _FIELD_WIDTH * len(value) + sum(8 + _size(item) for item in value.values())


def _pieces(value: MatValue, name: str = "") -> Iterator[bytes]:
    yield struct.pack("<II", _MATRIX, _size(value, name))
    match value:
        case Numbers(shape, make, stored):
            yield _head(_DOUBLE_CLASS, shape, name)
            numbers = make()
            if numbers.shape != shape:
                raise ValueError(f"an array of the shape {shape} was announced, and one of {numbers.shape} made.")
            kind, width = _STORED[stored]
            yield struct.pack("<II", kind, width * numbers.size)
            yield numbers.astype("<" + stored).tobytes(order="F") + bytes(-width * numbers.size % 8)
        case Cell(shape, items):
            yield _head(_CELL, shape, name)
            for item in items:
                yield from _pieces(item)
        case str():
            yield _head(_CHAR, (1, len(value)), name) + _element(_UINT16, value.encode("utf-16-le"))
        case float() | int():
            yield _head(_DOUBLE_CLASS, (1, 1), name) + _element(_DOUBLE, struct.pack("<d", value))
        case _:
            names = b"".join(field.encode("ascii").ljust(_FIELD_WIDTH, b"\0") for field in value)
            # The width of a field's name is always in the tag's second half; MATLAB reads no other form.
            length = struct.pack("<HHi", _INT32, 4, _FIELD_WIDTH)
            yield _head(_STRUCT, (1, 1), name) + length + _element(_INT8, names)
            for item in value.values():
                yield from _pieces(item)
