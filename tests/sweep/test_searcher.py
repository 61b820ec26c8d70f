"""A searcher on a cluster whose room changes."""

from types import SimpleNamespace

from ray.tune.search import Searcher

from ecgtune.sweep.interrupt import Interrupt
from ecgtune.sweep.searcher import StudySearcher


class Dispatcher(SimpleNamespace):
    def next(self):
        self.in_flight += 1
        return f"{self.in_flight:05d}", {}


def searcher(room, busy=True):
    dispatcher, interrupt = Dispatcher(in_flight=0, busy=busy), Interrupt()
    return StudySearcher(dispatcher, interrupt, metric="m", mode="min", capacity=lambda: room[0]), dispatcher, interrupt


def test_nothing_is_handed_out_beyond_the_room_there_is():
    room = [2]
    asked, dispatcher, _ = searcher(room)
    assert [asked.suggest("x") is not None for _ in range(4)] == [True, True, False, False]
    room[0] = 3
    assert [asked.suggest("x") is not None for _ in range(2)] == [True, False]
    room[0] = 1
    dispatcher.in_flight = 1
    assert asked.suggest("x") is None


def test_a_sweep_without_any_room_waits_and_does_not_end():
    asked, _, _ = searcher([0], busy=False)
    assert asked.suggest("x") is None


def test_an_interrupted_sweep_ends_though_there_is_no_room():
    asked, dispatcher, interrupt = searcher([0], busy=False)
    interrupt.stopped = True
    dispatcher.next = lambda: None
    assert asked.suggest("x") == Searcher.FINISHED
