import numpy as np
import pytest

from ecgtune.sweep.schedulers import Pasha
from ecgtune.sweep.schedulers.pasha import _overtakings
from tests.sweep.schedulers.one_worker import OneWorker

EPOCHS = 32


def parallel(trials=16):
    """Curves that never cross."""
    return {f"{n:05d}": [n + epoch / 100 for epoch in range(EPOCHS)] for n in range(trials)}


def crossing(trials=16):
    """Curves whose order is turned round at every rung."""
    signs = [1 if epoch.bit_length() % 2 else -1 for epoch in range(1, EPOCHS + 1)]
    return {f"{n:05d}": [sign * n * 10.0 ** min(e, 1) for e, sign in enumerate(signs)] for n in range(trials)}


def furthest(curves):
    sweep = OneWorker(lambda: Pasha(1, 2, EPOCHS), curves)
    sweep.run()
    return sorted((len(scores) for scores in sweep.known.values()), reverse=True)


def test_a_stable_ranking_keeps_to_two_rungs_but_for_the_leader():
    reached = furthest(parallel())
    assert reached[0] == EPOCHS
    assert set(reached[1:]) == {1, 2}


def test_a_ranking_that_changes_takes_further_rungs_into_use():
    assert furthest(crossing())[1] > 2


def test_noise_does_not_count_as_a_change():
    """Two trials cross back and forth; their order at the last rung says nothing."""

    def told(*gaps):
        pasha = Pasha(1, 2, EPOCHS)
        for epoch, gap in enumerate(gaps, 1):
            pasha.tell("00000", epoch, 0.5 + gap / 2)
            pasha.tell("00001", epoch, 0.5 - gap / 2)
        return pasha

    crossed_once = told(0.1, -0.1)
    assert crossed_once._allowed() == (1, 2)
    # At epoch 4 they differ by 0.4 after overtaking one another twice; at rung 2 by less.
    noisy = told(0.1, -0.1, -0.1, 0.4)
    assert noisy._noise(["00000", "00001"], 4) == pytest.approx(0.4)
    assert noisy._stable(2)
    clear = told(0.1, 0.3, 0.3, -0.4)
    assert clear._noise(["00000", "00001"], 4) == 0.0
    assert not clear._stable(2)


def test_the_rungs_in_use_do_not_depend_on_the_order_of_what_is_told():
    curves = crossing()
    forth, back = Pasha(1, 2, EPOCHS), Pasha(1, 2, EPOCHS)
    for trial in curves:
        for epoch in range(1, 9):
            forth.tell(trial, epoch, curves[trial][epoch - 1])
    for trial in reversed(curves):
        for epoch in range(1, 9):
            back.tell(trial, epoch, curves[trial][epoch - 1])
    assert forth._allowed() == back._allowed() != (1,)
    assert forth.wake(idle=False) == back.wake(idle=False)


@pytest.mark.parametrize(
    ("gaps", "times"),
    [
        ([1.0, 2.0, 3.0], 0),
        ([1.0, -1.0, 1.0], 2),
        ([1.0, 0.0, 1.0], 0),
        ([1.0, np.nan, -1.0], 1),
        ([np.nan, 0.0, 1.0], 0),
        ([np.nan, np.nan, np.nan], 0),
    ],
)
def test_who_overtook_whom_how_often(gaps, times):
    """What is unknown or equal is no overtaking, before the first difference least of all."""
    assert _overtakings(np.array([gaps])).tolist() == [times]
