"""What the MAT writer writes is what scipy and our own reader read."""

import numpy as np
import pytest
import scipy.io

from ecgtune.data.matfile import walk_mat
from ecgtune.data.matwriter import Cell, Numbers, write_mat


def numbers(array, stored="f8"):
    return Numbers(array.shape, lambda: array, stored)


@pytest.mark.parametrize("shape", [(0, 14), (1, 1), (3, 2), (5, 1), (2, 7)])
@pytest.mark.parametrize("stored", ["f8", "u1"])
def test_numbers_come_back(tmp_path, shape, stored):
    path = tmp_path / "a.mat"
    array = np.arange(shape[0] * shape[1], dtype=float).reshape(shape) * (1 if stored == "u1" else 0.3)
    write_mat(path, "some_name", {"x": numbers(array, stored)})
    [by_scipy] = scipy.io.loadmat(path)["some_name"][0, 0]
    np.testing.assert_array_equal(by_scipy, array)
    if stored == "u1" and array.size:
        assert by_scipy.dtype == np.uint8
    node = {n.path: n for n in walk_mat(path, lambda path: True)}["some_name", 0, "x"]
    np.testing.assert_array_equal(node.values, array)
    assert node.values.dtype == np.float64


@pytest.mark.parametrize("text", ["", "a", "four", "longer text"])
def test_structs_cells_and_text_come_back(tmp_path, text):
    path = tmp_path / "a.mat"
    inner = {"one": 1.5, "text": text, "a_name_of_31_characters_________": 2}
    write_mat(path, "x", {"people": Cell((1, 2), [inner, numbers(np.eye(2))]), "none": Cell((1, 0), [])}, level=9)
    x = scipy.io.loadmat(path)["x"][0, 0]
    assert x.dtype.names == ("people", "none")
    assert x["people"].shape == (1, 2)
    person = x["people"][0, 0][0, 0]
    assert person.dtype.names == tuple(inner)
    assert person["one"].item() == 1.5
    assert "".join(person["text"]) == text
    np.testing.assert_array_equal(x["people"][0, 1], np.eye(2))
    assert x["none"].shape == (1, 0)
    assert len(list(walk_mat(path, lambda path: True))) == 8


def test_an_array_of_another_shape_than_announced_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\(2, 2\) was announced, and one of \(3, 2\) made"):
        write_mat(tmp_path / "a.mat", "x", {"x": Numbers((2, 2), lambda: np.ones((3, 2)))})


def test_arrays_are_made_one_at_a_time_when_their_turn_comes(tmp_path):
    import tracemalloc

    def make():
        return np.zeros((100_000, 2))

    tracemalloc.start()
    write_mat(tmp_path / "a.mat", "x", {"x": Cell((1, 20), [Numbers((100_000, 2), make)] * 20)})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * 1_600_000
