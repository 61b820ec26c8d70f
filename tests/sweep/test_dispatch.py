"""What is handed out next, while nothing has begun yet."""

from types import SimpleNamespace

from ecgtune.sweep.dispatch import Dispatcher
from ecgtune.sweep.schedulers import AshaPromote


class Record:
    """Knows states and epochs only."""

    def taken_up(self, trial_id):
        pass

    def __init__(self):
        self.history, self.unfinished, self.trials, self.given_up = [], [], {}, None

    @property
    def running(self):
        return any(trial.state == "RUNNING" for trial in self.trials.values())

    def parameters(self, trial_id):
        return {"of": trial_id}

    def give_up(self, reason):
        self.given_up = reason


class Study:
    unfinished = False

    def __init__(self, count):
        self.left = [(f"{number:05d}", {}) for number in range(count)]

    def ask(self):
        return self.left.pop(0) if self.left else None


def sweep(count):
    record, scheduler = Record(), AshaPromote(1, 3, 4)
    dispatcher = Dispatcher(Study(count), record, scheduler, 1.0)

    def start(trial_id):
        record.trials.setdefault(trial_id, SimpleNamespace(epochs=0)).state = "RUNNING"

    def pause(trial_id, epoch, score):
        scheduler.tell(trial_id, epoch, score)
        record.trials[trial_id] = SimpleNamespace(state="PAUSED", epochs=epoch)

    return dispatcher, record, scheduler, start, pause


def test_a_trial_that_is_about_to_begin_keeps_others_waiting_and_is_not_given_up():
    dispatcher, record, scheduler, start, pause = sweep(1)
    assert not dispatcher.busy
    assert dispatcher.next() == ("00000", {})
    assert dispatcher.busy
    assert dispatcher.next() is None
    start("00000")
    pause("00000", 1, 0.5)
    assert not dispatcher.busy
    # Idle, so the leader is woken; a second worker asks before it has begun.
    assert dispatcher.next() == ("00000", {"of": "00000"})
    assert dispatcher.busy
    assert dispatcher.next() is None
    assert record.given_up is None
    start("00000")
    assert dispatcher.next() is None
    pause("00000", 3, 0.6)
    assert dispatcher.next() == ("00000", {"of": "00000"})
    start("00000")
    scheduler.tell("00000", 4, 0.7)
    record.trials["00000"].state = "COMPLETE"
    scheduler.ended("00000")
    assert dispatcher.next() is None
    assert not dispatcher.busy
    assert record.given_up == "asha"


def test_the_scheduler_comes_before_new_trials():
    dispatcher, _, _, start, pause = sweep(5)
    for number, score in enumerate((0.1, 0.9, 0.5)):
        assert dispatcher.next()[0] == f"{number:05d}"
        start(f"{number:05d}")
        pause(f"{number:05d}", 1, score)
    assert dispatcher.next()[0] == "00001"
    assert dispatcher.next()[0] == "00003"


def test_in_flight_are_those_that_run_or_are_about_to():
    dispatcher, record, _, start, pause = sweep(3)
    record.trains = lambda each: each in record.trials and record.trials[each].state == "RUNNING"
    assert dispatcher.in_flight == 0
    dispatcher.next()
    dispatcher.next()
    assert dispatcher.in_flight == 2
    start("00000")
    assert dispatcher.in_flight == 2
    pause("00000", 1, 0.5)
    assert dispatcher.in_flight == 1
    start("00001")
    record.trials["00001"].state = "COMPLETE"
    assert dispatcher.in_flight == 0
