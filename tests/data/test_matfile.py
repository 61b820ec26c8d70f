"""The MAT reader agrees with scipy's on whatever scipy writes, and tells what is wrong with a broken file."""

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecgtune.data.matfile import walk_mat
from ecgtune.errors import DataError


def everything(path):
    return True


def nested(path: Path, wanted=everything):
    """What a file holds as (kind, shape, fields, content) by path, from the walker."""
    return {node.path: node for node in walk_mat(path, wanted)}


def agree(nodes, path, value):
    """Whether the walker's nodes from `path` on are what scipy made of the same array."""
    node = nodes.pop(path)
    if value.dtype.names:
        assert (node.kind, node.fields, node.shape) == ("struct", value.dtype.names, value.shape)
        for number, element in enumerate(value.flatten(order="F")):
            for field in value.dtype.names:
                agree(nodes, (*path, number, field), element[field])
    elif value.dtype == object:
        assert (node.kind, node.shape) == ("cell", value.shape)
        for number, element in enumerate(value.flatten(order="F")):
            agree(nodes, (*path, number), element)
    elif value.dtype.kind == "U":
        assert node.kind == "char"
        assert node.text.split("\n") == [line.ljust(node.shape[1]) for line in (value.tolist() or [""])]
    else:
        assert (node.kind, node.shape) == ("number", value.shape)
        np.testing.assert_array_equal(node.values, value)


NUMBERS = hnp.arrays(
    st.sampled_from(["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "c16"]),
    hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=4),
    elements={"allow_nan": True},
)
TEXTS = st.text(st.characters(codec="latin-1", exclude_categories=("C",)), min_size=1, max_size=6)
FIELDS = st.text(st.sampled_from("abcXYZ_09"), min_size=1, max_size=8).map("f".__add__)


def cells(children):
    def fill(items):
        cell = np.empty((1, len(items)), dtype=object)
        for number, item in enumerate(items):
            cell[0, number] = item
        return cell

    return st.lists(children, max_size=3).map(fill)


VALUES = st.recursive(
    NUMBERS | TEXTS, lambda inner: cells(inner) | st.dictionaries(FIELDS, inner, min_size=1, max_size=3), max_leaves=8
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("mat") / "file.mat"


@given(variables=st.dictionaries(FIELDS, VALUES, min_size=1, max_size=3), compress=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_agrees_with_scipy(scratch, variables, compress):
    scipy.io.savemat(scratch, variables, do_compression=compress)
    nodes = nested(scratch)
    expected = scipy.io.loadmat(scratch, chars_as_strings=True)
    for name in variables:
        agree(nodes, (name,), expected[name])
    assert not nodes


def test_agrees_with_scipy_on_arrays_of_structs_and_rows_of_text(scratch):
    table = np.zeros((2, 2), dtype=[("a", "O"), ("b", "O")])
    for number, element in enumerate(table.flat):
        element["a"], element["b"] = np.arange(number + 1), f"text {number}"
    scipy.io.savemat(scratch, {"t": table, "rows": np.array(["ab", "cd", "ef"])})
    nodes, expected = nested(scratch), scipy.io.loadmat(scratch)
    agree(nodes, ("t",), expected["t"])
    agree(nodes, ("rows",), expected["rows"])


def element(order, stored, content):
    if len(content) <= 4 and stored != 14:
        return struct.pack(order + "I", len(content) << 16 | stored) + content.ljust(4, b"\0")
    return struct.pack(order + "II", stored, len(content)) + content + b"\0" * (-len(content) % 8)


def header(order):
    return b"MATLAB 5.0 MAT-file, by hand".ljust(124) + struct.pack(order + "HH", 0x0100, 0x4D49)


def matrix(order, array_class, shape, parts, name=b"", flags=0):
    content = element(order, 6, struct.pack(order + "II", array_class | flags, 0))
    content += element(order, 5, struct.pack(f"{order}{len(shape)}i", *shape)) + element(order, 1, name)
    return element(order, 14, content + b"".join(parts))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(("stored", "code"), [(1, "b"), (2, "B"), (3, "h"), (4, "H"), (5, "i"), (7, "f")])
def test_doubles_stored_small_are_doubles_again(tmp_path, order, compress, stored, code):
    numbers = [3, 1, 4, 1, 5, 9]
    data = matrix(order, 6, (3, 2), [element(order, stored, struct.pack(f"{order}6{code}", *numbers))], b"scores")
    if compress:
        packed = zlib.compress(data)
        data = struct.pack(order + "II", 15, len(packed)) + packed
    path = tmp_path / "a.mat"
    path.write_bytes(header(order) + data)
    node = nested(path)[("scores",)]
    assert node.values.dtype == np.float64
    np.testing.assert_array_equal(node.values, np.array(numbers).reshape(2, 3).T)
    np.testing.assert_array_equal(scipy.io.loadmat(path)["scores"], node.values)


def test_what_is_not_wanted_is_named_and_not_read(scratch):
    scipy.io.savemat(scratch, {"s": {"big": np.zeros((500, 2)), "deep": {"x": 1}, "small": 7}}, do_compression=True)
    nodes = nested(scratch, lambda path: "big" not in path and "deep" not in path)
    assert (nodes["s", 0, "big"].shape, nodes["s", 0, "big"].values) == ((500, 2), None)
    assert nodes["s", 0, "deep"].fields == ("x",)
    assert ("s", 0, "deep", 0, "x") not in nodes
    assert nodes["s", 0, "small"].values.item() == 7


def test_sparse_matrices_are_passed_over(scratch):
    import scipy.sparse

    scipy.io.savemat(scratch, {"s": scipy.sparse.eye(3, format="csc"), "after": 5})
    nodes = nested(scratch)
    assert nodes[("s",)].kind == "other"
    assert nodes[("after",)].values.item() == 5


def test_a_large_unwanted_variable_needs_no_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "large.mat"
    scipy.io.savemat(path, {"x": {"unwanted": np.zeros((4_000_000, 2)), "wanted": 1.0}}, do_compression=True)
    tracemalloc.start()
    nodes = nested(path, lambda path: "unwanted" not in path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert nodes["x", 0, "wanted"].values == 1
    assert peak < 8 << 20


def _saved(path, *, compress):
    scipy.io.savemat(path, {"x": {"a": np.arange(1000.0), "b": "text"}}, do_compression=compress)
    return path.read_bytes()


BROKEN = {
    "empty": (lambda whole: b"", "is empty; a MAT-file is expected"),
    "short": (lambda whole: whole[:90], "is not a MAT-file of version 5 to 7"),
    "text": (lambda whole: b"subject,valence\n" * 50, "is not a MAT-file of version 5 to 7"),
    "version 7.3": (lambda whole: b"MATLAB 7.3 MAT-file, HDF5".ljust(700), "of version 7.3"),
    "HDF5": (lambda whole: b"\x89HDF\r\n\x1a\n".ljust(700), "of version 7.3"),
    "cut in two": (lambda whole: whole[: len(whole) // 2], "is truncated: it describes"),
    "last byte missing": (lambda whole: whole[:-1], "is truncated: it describes"),
    "a few bytes more": (lambda whole: whole + b"\1\0", "is truncated"),
}


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("case", BROKEN)
def test_broken_file_is_refused(tmp_path, case, compress):
    path = tmp_path / "broken.mat"
    spoil, message = BROKEN[case]
    path.write_bytes(spoil(_saved(path, compress=compress)))
    with pytest.raises(DataError) as caught:
        nested(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        nested(tmp_path / "none.mat")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        nested(tmp_path)


@pytest.mark.parametrize("at", [-1, -4, -300])
def test_damage_that_only_the_checksum_shows_is_found(tmp_path, at):
    path = tmp_path / "a.mat"
    whole = bytearray(_saved(path, compress=True))
    whole[at] ^= 0x10
    path.write_bytes(whole)
    with pytest.raises(DataError, match="is corrupt"):
        nested(path, lambda path: False)


@pytest.mark.parametrize("missing", [1, 4])
def test_a_missing_checksum_is_found(tmp_path, missing):
    path = tmp_path / "a.mat"
    packed = zlib.compress(_numeric())[:-missing]
    path.write_bytes(header("<") + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(DataError, match="is corrupt"):
        nested(path)


@given(data=st.data(), compress=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_gives_a_message_or_a_reading(scratch, data, compress):
    whole = bytearray(_saved(scratch, compress=False)[128:])
    for _ in range(data.draw(st.integers(1, 4))):
        # The first bytes hold every tag, so damage there reaches each branch.
        whole[data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    if compress:
        packed = zlib.compress(bytes(whole))
        whole = struct.pack("<II", 15, len(packed)) + packed
    scratch.write_bytes(header("<") + whole)
    with contextlib.suppress(DataError):
        nested(scratch)


def _numeric(array_class=6, shape=(1, 2), part=None, **options):
    part = element("<", 9, struct.pack("<2d", 1, 2)) if part is None else part
    return matrix("<", array_class, shape, [part], b"x", **options)


@pytest.mark.parametrize(
    "data",
    [
        _numeric(shape=(1, 3)),
        _numeric(shape=(2,)),
        _numeric(shape=(-1, -2)),
        _numeric(part=element("<", 16, b"12345678")),
        _numeric(part=element("<", 9, b"123456789abc")),
        _numeric(flags=0x0800),
        _numeric(array_class=4, part=element("<", 9, b"12345678")),
        matrix("<", 1, (1 << 15, 1 << 15), [], b"x"),
        matrix("<", 1, (1, 1), [element("<", 9, b"12345678")], b"x"),
        element("<", 14, struct.pack("<II", 5 << 16 | 6, 6) + b"\0" * 8),
        element("<", 14, element("<", 6, b"")),
    ],
    ids=lambda data: zlib.crc32(data),
)
@pytest.mark.parametrize("compress", [False, True])
def test_parts_that_contradict_each_other_are_refused(tmp_path, data, compress):
    if compress:
        packed = zlib.compress(data)
        data = struct.pack("<II", 15, len(packed)) + packed
    path = tmp_path / "a.mat"
    path.write_bytes(header("<") + data)
    with pytest.raises(DataError, match="is corrupt|is truncated"):
        nested(path)


def test_endless_nesting_is_refused(tmp_path):
    data = _numeric()
    for _ in range(200):
        data = matrix("<", 1, (1, 1), [data], b"x")
    path = tmp_path / "a.mat"
    path.write_bytes(header("<") + data)
    with pytest.raises(DataError, match="is corrupt"):
        nested(path)


def test_functions_and_empty_elements_are_named(tmp_path):
    function = element("<", 14, element("<", 6, struct.pack("<II", 16, 0)) + b"whatever")
    cell = matrix("<", 1, (1, 3), [function, element("<", 14, b""), _numeric()], b"c")
    path = tmp_path / "a.mat"
    path.write_bytes(header("<") + function + cell)
    nodes = nested(path)
    assert [(path, node.kind, node.shape) for path, node in nodes.items()] == [
        (("",), "other", ()),
        (("c",), "cell", (1, 3)),
        (("c", 0), "other", ()),
        (("c", 1), "number", (0, 0)),
        (("c", 2), "number", (1, 2)),
    ]
