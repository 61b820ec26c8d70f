"""How the progress display writes numbers."""

import pytest

from ecgtune.cli.progress_text import duration, parameters_text, rate, scalar, score_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "under 1 s"),
        (1.4, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (47.9 * 3600, "47 h 54 min"),
        (76 * 3600, "3 d 4 h"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (0.0, "0.0000"),
        (0.04562, "0.0456"),
        (-12.0, "-12.0000"),
        (1.2345e-5, "1.2e-05"),
        (float("nan"), "nan"),
    ],
)
def test_score(value, text):
    assert score_text(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "—"), (0.25, "0.2"), (12.6, "13"), (1234567.0, "1,234,567")])
def test_rate(value, text):
    assert rate(value) == text


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (64, "64"), (0.00202205, "0.00202"), ("adam", "adam")])
def test_scalar(value, text):
    assert scalar(value) == text


def test_parameters_are_named_as_shortly_as_they_can_be_told_apart():
    text = parameters_text(
        {
            "pretext/scheduler/type": "none",
            "pretext/adam/lr": 0.001,
            "pretext/permutation/pieces": 20,
            "pretext/time_warping/pieces": 9,
        }
    )
    assert text == "scheduler none  lr 0.001  permutation/pieces 20  time_warping/pieces 9"
