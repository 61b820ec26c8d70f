"""A trial as the driver knows it."""

import pytest

from ecgtune.sweep.trial import Trial


def test_epochs_of_an_earlier_run_count_towards_the_time_that_a_trial_took():
    trial = Trial("00000", {}, "val_loss", "min")
    trial.add_epoch(1, {"val_loss": 2.0}, 1.0, 40.0)
    assert trial.seconds == pytest.approx(40.0, abs=5.0)
    trial.begin()
    trial.add_epoch(2, {"val_loss": 1.0}, 1.0, 2.0)
    trial.end("COMPLETE", "")
    assert trial.seconds == pytest.approx(42.0, abs=5.0)
    assert (trial.best_epoch, trial.best_score) == (2, 1.0)


def test_what_lies_between_epochs_counts_too():
    trial = Trial("00000", {}, "val_loss", "min")
    trial.started -= 100.0
    trial.add_epoch(1, {"val_loss": 2.0}, 1.0, 40.0)
    assert trial.seconds == pytest.approx(100.0, abs=5.0)
