import numpy as np

from ecgtune.sweep.schedulers import Median, Verdict


def test_it_stops_what_is_below_the_median_of_running_averages():
    rng = np.random.default_rng(3)
    curves = rng.normal(size=(60, 6)).round(1)
    rule, complete, stops = Median(2, 6), [], 0
    for number, curve in enumerate(curves):
        for epoch in range(1, 7):
            verdict = rule.tell(f"{number:05d}", epoch, float(curve[epoch - 1]))
            averages = [other[:epoch].mean() for other in complete]
            behind = len(averages) >= 3 and curve[:epoch].max() < np.median(averages)
            assert (verdict is Verdict.STOP) == (behind and 2 <= epoch < 6)
            if verdict is Verdict.STOP:
                stops += 1
                break
        else:
            complete.append(curve)
        rule.ended(f"{number:05d}")
    assert stops > 5
