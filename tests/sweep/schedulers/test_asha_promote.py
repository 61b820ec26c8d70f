from ecgtune.sweep.schedulers import AshaPromote, Verdict


def told(scheduler, epoch, **scores):
    for name, score in scores.items():
        assert scheduler.tell(name, epoch, score) is (Verdict.PAUSE if epoch in scheduler.milestones else Verdict.GO_ON)


def test_the_best_of_a_rung_are_promoted_and_nobody_twice():
    asha = AshaPromote(1, 2, 8)
    told(asha, 1, a=0.3)
    assert asha.wake(idle=False) is None
    told(asha, 1, b=0.5)
    assert asha.wake(idle=False) == "b"
    told(asha, 1, c=0.9, d=0.1)
    assert asha.wake(idle=False) == "c"
    assert asha.wake(idle=False) is None


def test_the_highest_rung_comes_first_and_equal_scores_go_by_number():
    asha = AshaPromote(1, 2, 8)
    told(asha, 1, a=0.5, b=0.5, c=0.1, d=0.1)
    assert [asha.wake(idle=False), asha.wake(idle=False)] == ["a", "b"]
    told(asha, 2, a=0.1, b=0.2)
    told(asha, 1, e=0.9, f=0.9)
    assert [asha.wake(idle=False), asha.wake(idle=False)] == ["b", "e"]


def test_who_has_ended_is_not_woken_but_still_counts():
    asha = AshaPromote(1, 2, 8)
    told(asha, 1, a=0.5, b=0.4, c=0.3, d=0.2)
    asha.ended("a")
    assert [asha.wake(idle=False), asha.wake(idle=False)] == ["b", None]


def test_when_idle_the_leader_is_trained_to_the_end_and_nobody_else():
    asha = AshaPromote(1, 3, 8)
    told(asha, 1, a=0.3, b=0.5)
    assert asha.wake(idle=False) is None
    assert asha.wake(idle=True) == "b"
    told(asha, 3, b=0.5)
    assert asha.wake(idle=True) == "b"
    told(asha, 8, b=0.6)
    asha.ended("b")
    assert asha.wake(idle=True) is None


def test_a_leader_that_fails_is_replaced():
    asha = AshaPromote(1, 3, 8)
    told(asha, 1, a=0.3, b=0.5)
    assert asha.wake(idle=True) == "b"
    asha.ended("b")
    assert asha.wake(idle=True) == "a"
