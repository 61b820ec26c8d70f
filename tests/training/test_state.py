import pickle

import pytest
import torch

from ecgtune.errors import InputError, StorageError
from ecgtune.training.state import before, drop_state, load_state, newest_state, save_state


def state(epoch):
    return {"training": {"epoch": epoch}, "tensors": {"a": torch.arange(epoch)}, "best": None, "list": [1.5, "x"]}


def test_states_come_back(tmp_path):
    path = tmp_path / "deep" / "state"
    assert load_state(path) is None
    assert newest_state(path) == (None, "")
    save_state(path, state(3))
    back = load_state(path)
    assert torch.equal(back.pop("tensors")["a"], torch.arange(3))
    assert back == {"training": {"epoch": 3}, "best": None, "list": [1.5, "x"]}


def test_the_one_before_is_used_where_the_newest_is_damaged(tmp_path):
    path = tmp_path / "state"
    for epoch in (1, 2, 3):
        save_state(path, state(epoch))
    assert newest_state(path)[0]["training"] == {"epoch": 3}
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found, warning = newest_state(path)
    assert found["training"] == {"epoch": 2}
    assert "state is damaged" in warning
    assert "Going on from epoch 2" in warning
    before(path).write_bytes(before(path).read_bytes()[:-1])
    found, warning = newest_state(path)
    assert found is None
    assert warning.count("is damaged") == 2
    assert "begins again" in warning


def test_a_kill_between_the_two_moves_leaves_the_older_state(tmp_path):
    path = tmp_path / "state"
    save_state(path, state(1))
    path.replace(before(path))
    assert newest_state(path)[0]["training"] == {"epoch": 1}
    assert newest_state(path)[1] == ""


def test_a_full_disk_harms_nothing(tmp_path, monkeypatch):
    path = tmp_path / "state"
    save_state(path, state(1))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(StorageError, match="no space left"):
            save_state(path, state(2))
    assert newest_state(path)[0]["training"] == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_nothing_is_left_of_dropped_states(tmp_path):
    path = tmp_path / "state"
    save_state(path, state(1))
    save_state(path, state(2))
    drop_state(path)
    drop_state(path)
    assert list(tmp_path.iterdir()) == []


class Malicious:
    def __reduce__(self):
        return print, ("this must never run",)


@pytest.mark.parametrize("content", ["pickle", "torn", "empty", "code"])
def test_a_file_that_is_no_state(content, tmp_path, capsys):
    path = tmp_path / "state"
    if content == "code":
        save_state(path, {"x": Malicious()})
    elif content == "torn":
        save_state(path, {"x": torch.ones(100)})
        path.write_bytes(path.read_bytes()[:-50])
    else:
        path.write_bytes(pickle.dumps(Malicious()) if content == "pickle" else b"")
    with pytest.raises(InputError, match="Delete it to begin again"):
        load_state(path)
    assert capsys.readouterr().out == ""
