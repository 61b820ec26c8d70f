from collections import Counter

from ecgtune.sweep.schedulers import Hyperband, Verdict
from ecgtune.sweep.schedulers.hyperband import bracket_sizes


def test_the_sizes_of_the_paper():
    """Table 1 of Li et al. 2018: R = 81, eta = 3."""
    assert bracket_sizes(5, 3) == [81, 34, 15, 8, 5]


def test_every_bracket_has_its_share_in_an_order_that_repeats():
    hyperband, again = Hyperband(1, 3, 81), Hyperband(1, 3, 81)
    ids = [f"{number:05d}" for number in range(2 * 143)]
    assigned = [hyperband.bracket(trial_id) for trial_id in ids]
    assert Counter(assigned[:143]) == Counter(assigned[143:]) == {0: 81, 1: 34, 2: 15, 3: 8, 4: 5}
    assert [again.bracket(trial_id) for trial_id in reversed(ids)] == assigned[::-1]
    assert set(assigned[:20]) == {0, 1, 2, 3, 4} or set(assigned[:40]) == {0, 1, 2, 3, 4}


def test_trials_are_compared_within_their_bracket_only():
    hyperband = Hyperband(1, 2, 4)
    of = [[n for n in range(60) if hyperband.bracket(f"{n:05d}") == bracket] for bracket in range(3)]
    assert hyperband.milestones == (1, 2)

    def tell(number, epoch, score):
        return hyperband.tell(f"{number:05d}", epoch, score)

    assert tell(of[0][0], 1, 1.0) is Verdict.GO_ON
    assert tell(of[1][0], 1, 0.0) is tell(of[2][0], 1, 0.0) is Verdict.GO_ON
    assert tell(of[0][1], 1, 0.5) is Verdict.STOP
    assert tell(of[0][0], 2, 1.0) is Verdict.GO_ON
    assert tell(of[1][0], 2, 0.2) is tell(of[2][0], 2, 0.0) is Verdict.GO_ON
    assert tell(of[1][1], 2, 0.1) is Verdict.STOP
