import math
from types import SimpleNamespace

import pytest

from ecgtune.sweep.scheduler import ScheduledTrials
from ecgtune.sweep.schedulers import Asha, AshaPromote, Once, Verdict


class Record:
    def __init__(self):
        self.events = []

    def will_end(self, trial_id, reason):
        self.events.append((trial_id, reason))

    def will_pause(self, trial_id):
        self.events.append((trial_id, "pause"))

    def trains(self, trial_id):
        return trial_id == "a"


class Heard:
    """A scheduler that remembers what it was told."""

    milestones, pauses, reason = (2, 3), True, "heard"

    def __init__(self, **verdicts):
        self.verdicts, self.log = verdicts, []

    def tell(self, trial_id, epoch, score):
        self.log.append((trial_id, epoch, score))
        return self.verdicts.get(f"{trial_id}{epoch}", Verdict.GO_ON)

    def ended(self, trial_id):
        self.log.append((trial_id, "ended"))

    def wake(self, *, idle):
        return "a" if idle else None


def test_an_epoch_is_passed_on_once_and_its_verdict_repeated():
    heard = Heard(a2=Verdict.PAUSE)
    once = Once(heard)
    assert (once.milestones, once.pauses, once.reason) == ((2, 3), True, "heard")
    assert [once.tell("a", epoch, 0.5) for epoch in (1, 2)] == [Verdict.GO_ON, Verdict.PAUSE]
    assert [once.tell("a", epoch, 0.5) for epoch in (1, 2)] == [Verdict.PAUSE, Verdict.PAUSE]
    assert once.wake(idle=False) is None
    assert once.tell("a", 2, 0.5) is Verdict.PAUSE
    assert once.wake(idle=True) == "a"
    assert once.tell("a", 2, 0.5) is Verdict.GO_ON
    assert once.tell("a", 3, math.nan) is once.tell("a", 3, 0.7) is Verdict.GO_ON
    once.ended("a")
    assert heard.log == [("a", 1, 0.5), ("a", 2, 0.5), ("a", 3, 0.7), ("a", "ended")]


@pytest.mark.parametrize(
    ("scheduler", "failure", "last", "decision", "events", "ended"),
    [
        (Heard(), "", 3, "CONTINUE", [], False),
        (Heard(), "", 4, "STOP", [], True),
        (Heard(), "nan", 3, "STOP", [], True),
        (Heard(), "storage", 3, "STOP", [], True),
        (Heard(a3=Verdict.STOP), "", 3, "STOP", [("a", "heard")], True),
        (Heard(a3=Verdict.STOP), "nan", 3, "STOP", [], True),
        (Heard(a3=Verdict.PAUSE), "", 3, "STOP", [("a", "pause")], False),
        (Heard(a3=Verdict.PAUSE), "collapsed", 3, "STOP", [], True),
    ],
)
def test_what_ray_and_the_record_hear(scheduler, failure, last, decision, events, ended):
    record = Record()
    trials = ScheduledTrials(Once(scheduler), record, metric="val_loss", sign=-1.0, max_epochs=4)
    epochs = [SimpleNamespace(epoch=epoch, metrics={"val_loss": epoch / 10}) for epoch in range(1, last + 1)]
    result = {"epochs": epochs, "epoch": last, "failure": failure}
    trial = SimpleNamespace(config={"trial_id": "a"})
    assert trials.on_trial_result(None, trial, result) == decision
    assert record.events == events
    assert [entry for entry in scheduler.log if entry[1] != "ended"] == [
        ("a", epoch, -epoch / 10) for epoch in range(1, last + 1)
    ]
    assert (("a", "ended") in scheduler.log) == ended


def test_a_worker_that_is_given_up_ends_its_trial():
    heard = Heard()
    ScheduledTrials(Once(heard), Record(), metric="val_loss", sign=1.0, max_epochs=4).on_trial_error(
        None, SimpleNamespace(config={"trial_id": "a"})
    )
    assert heard.log == [("a", "ended")]


def test_a_worker_that_dies_before_it_has_begun_ends_nothing():
    heard = Heard()
    ScheduledTrials(Once(heard), Record(), metric="val_loss", sign=1.0, max_epochs=4).on_trial_error(
        None, SimpleNamespace(config={"trial_id": "b"})
    )
    assert heard.log == []


@pytest.mark.parametrize("make", [Asha, AshaPromote])
def test_a_replacement_that_repeats_epochs_does_not_change_what_others_are_compared_with(make):
    plain, repeated = make(1, 2, 8), Once(make(1, 2, 8))
    for trial_id, score in (("00000", 0.3), ("00001", 0.2), ("00002", 0.5), ("00003", 0.4)):
        for _ in range(2):
            again = repeated.tell(trial_id, 1, score)
        assert plain.tell(trial_id, 1, score) is again
    assert plain.wake(idle=False) == repeated.wake(idle=False)
