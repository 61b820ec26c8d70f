import pytest
from optuna.distributions import FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from ecgtune.sweep.seen import SeenStudy, honest, ranked

PLACES = {"x": FloatDistribution(0, 1)}


def trials(*given):
    """Trials from (state, value, intermediate values, reason)."""
    found = []
    for number, (state, value, steps, reason) in enumerate(given):
        trial = create_trial(
            state=TrialState[state],
            value=value,
            params={"x": number / 10},
            distributions=PLACES,
            intermediate_values=dict(steps),
            user_attrs={"reason": reason} if reason else {},
        )
        trial.number = number
        found.append(trial)
    return found


ALL = trials(
    ("COMPLETE", 0.5, {1: 0.9, 4: 0.5}, ""),
    ("PRUNED", 0.3, {1: 0.3}, "asha"),
    ("PRUNED", 0.8, {1: 0.9, 2: 0.8}, "asha"),
    ("FAIL", None, {1: 0.1}, "nan"),
    ("FAIL", None, {1: 0.1}, "error"),
    ("RUNNING", None, {1: 0.4, 2: 0.2}, ""),
    ("RUNNING", None, {}, ""),
    ("COMPLETE", 0.4, {4: 0.4}, ""),
)


@pytest.mark.parametrize("paused", [True, False])
def test_what_is_shown(paused):
    shown = honest(ALL, paused=paused)
    states = [
        "COMPLETE",
        "PRUNED",
        "PRUNED",
        "PRUNED",
        "FAIL",
        "PRUNED" if paused else "RUNNING",
        "RUNNING",
        "COMPLETE",
    ]
    assert [trial.state.name for trial in shown] == states
    assert [trial.number for trial in shown] == list(range(8))
    assert [trial.params for trial in shown] == [trial.params for trial in ALL]
    assert shown[3].intermediate_values == {}
    if paused:
        assert (shown[5].value, shown[5].intermediate_values) == (0.2, {1: 0.4, 2: 0.2})
    assert ALL[5].state == TrialState.RUNNING


def test_ranks_complete_ones_first_then_who_got_furthest():
    shown = honest(ALL, paused=True)
    assert [trial.number for trial in ranked(shown, StudyDirection.MINIMIZE)] == [7, 0, 5, 2, 1, 3]
    assert [trial.number for trial in ranked(shown, StudyDirection.MAXIMIZE)] == [0, 7, 2, 5, 1, 3]


def test_a_study_in_memory_shows_what_it_is_given():
    study = SeenStudy("maximize")
    assert study.get_trials() == []
    study.shown = ALL
    assert len(study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))) == 2
    study.get_trials()[0].user_attrs["x"] = 1
    assert "x" not in ALL[0].user_attrs
    assert study.direction == StudyDirection.MAXIMIZE
