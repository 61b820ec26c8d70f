"""Who waits, as another process sees it."""

from ecgtune.sweep.opening import open_sweep
from ecgtune.sweep.overview import overview
from ecgtune.sweep.pauses import paused_at
from ecgtune.sweep.plan import definition
from tests.sweep.conftest import Listener, make_plan
from tests.sweep.test_record import report


def begun(plan, n_trials, n_waiting):
    """A sweep in its midst: so many trials after two epochs, the first of them at a rung."""
    plan.folder.path.mkdir(parents=True)
    plan.folder.write({**definition(plan), "state": "running"})
    sweep = open_sweep(plan, Listener(), 1)
    for number in range(n_trials):
        trial_id, parameters = sweep.dispatcher.next()
        sweep.record.started(trial_id, parameters)
        sweep.record.report(trial_id, report([(1, 1.0), (2, 0.5 + number)]))
        if number < n_waiting:
            sweep.record.will_pause(trial_id)
            sweep.record.finished(trial_id)
    return sweep


def test_it_is_told_who_waits_and_who_runs(tmp_path):
    plan = make_plan(tmp_path, scheduler="asha_promote", grace_period=2, num_samples=6, max_epochs=9)
    begun(plan, 3, 2)
    assert paused_at(plan.folder.study) == {"00000": 2, "00001": 2}
    assert [(each.trial_id, each.waits) for each in overview(plan.folder).running] == [
        ("00000", True),
        ("00001", True),
        ("00002", False),
    ]


def test_after_a_resume_nobody_who_waits_is_missing(tmp_path):
    plan = make_plan(tmp_path, scheduler="asha_promote", grace_period=2, num_samples=6, max_epochs=9)
    begun(plan, 3, 3).record.close()
    sweep = open_sweep(plan, Listener(), 1)
    trial_id, parameters = sweep.dispatcher.next()
    sweep.record.started(trial_id, parameters)
    assert {each.trial_id for each in overview(plan.folder).running} >= {"00000", "00001", "00002"}


def test_a_torn_line_is_passed_over(tmp_path):
    journal = tmp_path / "study.log"
    journal.write_text(
        '{"op_code":8,"trial_id":3,"user_attr":{"paused at":4}}\n{"trial_id":5,"user_attr":{"paused at":'
    )
    assert paused_at(journal) == {"00003": 4}
    assert paused_at(tmp_path / "none") == {}
