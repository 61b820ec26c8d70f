"""The `[sweep]` table."""

import pytest

from ecgtune.config import STAGES
from ecgtune.errors import ConfigError
from ecgtune.space.settings import METRICS, override, read_settings, settings_table


def read(stage="pretext", **given):
    settings, mistakes = read_settings({"stage": stage, **given}, None)
    assert not mistakes
    return settings


@pytest.mark.parametrize("stage", STAGES)
def test_a_metric_brings_its_direction(stage):
    for metric, mode in METRICS[stage].items():
        assert read(stage, metric=metric).mode == mode
        assert ("loss" in metric) == (mode == "min")


def test_the_defaults():
    assert (read().metric, read().mode) == ("val_loss", "min")
    assert (read("emotion").metric, read("emotion").mode) == ("val_balanced_accuracy", "max")


@pytest.mark.parametrize(
    ("given", "key", "said"),
    [
        ({"stage": "pretex"}, "stage", "must be one of 'pretext', 'emotion'"),
        ({"stage": ["pretext"]}, "stage", "must be one of 'pretext', 'emotion'"),
        ({}, "stage", 'write stage = "pretext" or stage = "emotion"'),
        ({"stage": "pretext", "metric": "val_auc"}, "metric", "must be one of 'val_loss', 'val_accuracy'"),
        ({"stage": "pretext", "metric": 3}, "metric", "metric = 3: must be one of"),
        ({"stage": "pretext", "metric": "val_loss", "mode": "max"}, "mode", "better when lower; leave mode out"),
        ({"stage": "emotion", "mode": "min"}, "mode", "better when higher; leave mode out"),
        ({"stage": "pretext", "mode": "best"}, "mode", "must be one of 'min', 'max'"),
        ({"stage": "pretext", "num_samples": 0}, "num_samples", "must be a whole number from 1"),
        ({"stage": "pretext", "num_samples": 2.5}, "num_samples", "must be a whole number"),
        ({"stage": "pretext", "num_samples": True}, "num_samples", "must be a whole number"),
        ({"stage": "pretext", "searcher": "bo"}, "searcher", "must be one of 'tpe', 'gp', 'cmaes', 'random', 'grid'"),
        ({"stage": "pretext", "scheduler": 1}, "scheduler", "must be one of 'asha', 'asha_promote', 'pasha', 'hyper"),
        ({"stage": "pretext", "reduction_factor": 1}, "reduction_factor", "from 2"),
        ({"stage": "pretext", "seed": -1}, "seed", "from 0"),
        ({"stage": "pretext", "val_fraction": 1.0}, "val_fraction", "from 0.01 to 0.99"),
        ({"stage": "emotion", "folds": 1}, "folds", "from 2"),
        ({"stage": "emotion", "hold_out": 0.4}, "hold_out", "belongs to the pretext stage"),
        ({"stage": "pretext", "folds": 5}, "folds", "belongs to the emotion stage"),
        ({"stage": "pretext", "num_sample": 5}, "num_sample", "did you mean 'num_samples'?"),
        ({"stage": "pretext", "qqq": 5}, "qqq", "known are: stage, metric"),
        ({"stage": "pretext", "max_epochs": 5, "grace_period": 6}, "grace_period", "is above max_epochs = 5"),
    ],
)
def test_a_wrong_setting(given, key, said):
    _, mistakes = read_settings(given, None)
    ((found, message),) = mistakes
    assert found == key
    assert said in message


def test_one_mistake_does_not_bring_another():
    _, mistakes = read_settings({"stage": "pretext", "max_epochs": "a", "grace_period": 500, "metric": "x"}, None)
    assert sorted(key for key, _ in mistakes) == ["max_epochs", "metric"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_table_is_complete_and_of_the_stage(stage):
    table = settings_table(read(stage, seed=7))
    assert ("folds" in table) == (stage == "emotion")
    assert ("hold_out" in table) == (stage == "pretext")
    assert read_settings(table, stage) == (read(stage, seed=7), [])


def test_what_a_file_leaves_out_is_what_the_recorded_curves_speak_for():
    assert (read(max_epochs=100).grace_period, read(max_epochs=100).reduction_factor) == (20, 4)
    assert read().searcher == "tpe"
    assert read(max_epochs=3).grace_period == 1
    assert (read(grace_period=1, reduction_factor=2).grace_period, read(reduction_factor=2).reduction_factor) == (1, 2)


def test_override():
    settings = read(max_epochs=100, grace_period=10)
    assert override(settings, max_epochs=None, seed=None) == settings
    changed = override(settings, max_epochs=40, num_samples=3, seed=9)
    assert (changed.max_epochs, changed.grace_period, changed.num_samples, changed.seed) == (40, 4, 3, 9)
    assert override(settings, metric="val_accuracy").mode == "max"
    with pytest.raises(ConfigError, match="num_samples = 0: must be a whole number from 1"):
        override(settings, num_samples=0)
    with pytest.raises(ConfigError, match="max_epochs = 0"):
        override(settings, max_epochs=0)
    with pytest.raises(ConfigError, match="grace_period = 9 is above max_epochs = 5"):
        override(settings, max_epochs=5, grace_period=9)
