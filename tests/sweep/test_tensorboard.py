"""Pictures of a sweep: drawn beside it, and only once it trains."""

import threading

import pytest
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ecgtune.errors import StorageError
from ecgtune.sweep.tensorboard import SweepBoard


class Artist:
    """Draws, and remembers in which threads."""

    def __init__(self):
        self.threads = []
        self.may_draw = threading.Event()

    def __call__(self):
        self.may_draw.wait(10)
        self.threads.append(threading.current_thread())
        return Figure()


@pytest.fixture
def board(tmp_path):
    return SweepBoard(tmp_path, [], ["val_loss"])


def pictures(folder):
    events = EventAccumulator(str(folder / "sweep"))
    events.Reload()
    return {tag: [each.step for each in events.Images(tag)] for tag in events.Tags()["images"]}


def test_no_picture_keeps_the_first_trial_from_starting_or_the_driver_waiting(board, tmp_path):
    first, second = Artist(), Artist()
    board.figure("views", first)
    assert board.start("00000", {}) is None
    assert board.figure("confusion", second, 3) is None
    assert not first.threads
    first.may_draw.set()
    second.may_draw.set()
    board.close()
    assert len(first.threads) == len(second.threads) == 1
    assert threading.current_thread() not in first.threads + second.threads
    assert pictures(tmp_path) == {"views": [0], "confusion": [3]}


def test_a_sweep_that_never_trained_ends_without_pictures(board, tmp_path):
    artist = Artist()
    artist.may_draw.set()
    board.figure("views", artist)
    board.close()
    assert not artist.threads
    assert pictures(tmp_path) == {}


def test_what_is_still_being_drawn_at_the_end_is_waited_for(board, tmp_path):
    artist = Artist()
    board.start("00000", {})
    board.figure("views", artist)
    threading.Timer(0.3, artist.may_draw.set).start()
    board.close()
    assert pictures(tmp_path) == {"views": [0]}


@pytest.mark.parametrize("error", [RuntimeError("no font"), FileNotFoundError("no font")])
def test_no_sweep_fails_for_want_of_a_picture(tmp_path, error):
    told = []
    board = SweepBoard(tmp_path, [], ["val_loss"], told.append)

    def fail():
        raise error

    board.start("00000", {})
    board.figure("views", fail)
    board.figure("confusion", Figure)
    board.close()
    assert told == [f"the picture 'views' could not be drawn ({type(error).__name__}: no font)."]
    assert pictures(tmp_path) == {"confusion": [0]}


@pytest.mark.parametrize("noticed", ["at the next trial", "at the end"])
def test_a_disk_that_refuses_a_picture_is_told_of(board, monkeypatch, noticed):
    def refuse(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(board._sweep, "add_figure", refuse)
    board.start("00000", {})
    board.figure("views", Figure)
    with pytest.raises(StorageError, match="no space left"):
        if noticed == "at the end":
            board.close()
        board._artist.shutdown(wait=True)
        board.start("00001", {})
