"""What holds for every scheduler of the table."""

from dataclasses import replace

import numpy as np
import pytest

from ecgtune.space import SweepSettings, settings
from ecgtune.sweep.schedulers import SCHEDULERS, Verdict
from tests.sweep.schedulers.one_worker import OneWorker

PLAIN = SweepSettings(stage="pretext", metric="val_loss", mode="min")


def random_curves(seed, trials=14, epochs=13):
    """Curves that rise towards different heights, at different speeds, with noise that makes them cross."""
    rng = np.random.default_rng(seed)
    height, speed = rng.uniform(0.5, 1.0, trials), rng.uniform(0.1, 1.0, trials)
    steps = np.arange(1, epochs + 1)
    rising = height[:, None] * (1 - np.exp(-speed[:, None] * steps)) + rng.normal(0, 0.03, (trials, epochs))
    return {f"{number:05d}": curve.tolist() for number, curve in enumerate(rising)}


def test_the_table_and_the_setting_agree():
    rules = {rule.name: rule for rule in settings.fields(SweepSettings)}
    assert tuple(SCHEDULERS) == rules["scheduler"].metadata["choices"]


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize(("grace_period", "factor"), [(1, 2), (1, 3), (3, 2), (13, 4), (50, 2)])
def test_the_rules_of_the_seam(name, grace_period, factor):
    chosen = replace(PLAIN, grace_period=grace_period, reduction_factor=factor)
    make = lambda: SCHEDULERS[name](chosen, 13)  # noqa: E731
    scheduler, curves = make(), random_curves(1)
    assert all(min(grace_period, 13) <= epoch < 13 for epoch in scheduler.milestones)
    for trial_id, curve in curves.items():
        for epoch, score in enumerate(curve, 1):
            verdict = scheduler.tell(trial_id, epoch, score)
            assert verdict is Verdict.GO_ON or epoch in scheduler.milestones
            assert verdict is not Verdict.PAUSE or scheduler.pauses
        scheduler.ended(trial_id)
    assert scheduler.wake(idle=True) is None
    sweep = OneWorker(make, curves)
    sweep.run()
    assert set(sweep.over) == set(curves)
    assert any(len(scores) == 13 for scores in sweep.known.values())


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("seed", range(4))
def test_a_sweep_interrupted_after_any_epoch_goes_on_as_if_nothing_had_been(name, seed):
    def make():
        return SCHEDULERS[name](replace(PLAIN, reduction_factor=2 + seed % 2), 13)

    whole = OneWorker(make, random_curves(seed))
    assert whole.run()
    for epochs in range(1, len(whole.log) + 1):
        broken = OneWorker(make, random_curves(seed))
        assert not broken.run(epochs)
        assert broken.run()
        assert (broken.log, broken.over) == (whole.log, whole.over)


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if name != "none"])
def test_it_saves_epochs_and_trains_a_good_trial_to_the_end(name):
    saved = []
    for seed in range(5):
        curves = random_curves(seed, trials=40, epochs=30)
        sweep = OneWorker(lambda: SCHEDULERS[name](PLAIN, 30), curves)
        sweep.run()
        saved.append(len(sweep.log) / (40 * 30))
        ends = sorted(curve[-1] for curve in curves.values())
        assert max(curves[trial][-1] for trial, scores in sweep.known.items() if len(scores) == 30) >= ends[-8]
    assert max(saved) < 0.75


def test_none_stops_nobody():
    sweep = OneWorker(lambda: SCHEDULERS["none"](PLAIN, 13), random_curves(0))
    sweep.run()
    assert len(sweep.log) == 14 * 13
    assert set(sweep.over.values()) == {""}
