"""The figures: what they show can be read from their parts, and they leave no state behind."""

import io
import sys

import numpy as np
import pytest

from ecgtune.config import TRANSFORMS
from ecgtune.report.plots import confusion_figure, views_figure


@pytest.fixture
def views():
    return np.random.default_rng(0).standard_normal((7, 2560)).cumsum(axis=1)


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_every_view_is_drawn_whole_and_close_up_on_one_scale(views):
    figure = views_figure(views, TRANSFORMS, 256.0)
    wholes, closes = figure.axes[::2], figure.axes[1::2]
    assert [axis.get_title(loc="left") for axis in wholes] == [name.replace("_", " ") for name in TRANSFORMS]
    for whole, close, view in zip(wholes, closes, views, strict=True):
        np.testing.assert_array_equal(whole.lines[0].get_ydata(), view)
        np.testing.assert_array_equal(close.lines[1].get_ydata(), views[0])
        np.testing.assert_allclose(whole.lines[0].get_xdata()[[0, -1]], [0, 2559 / 256])
        assert whole.get_ylim() == close.get_ylim() == wholes[0].get_ylim()
    low, high = closes[0].get_xlim()
    assert low < 5 < high
    assert high - low < 2
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("time (s)", "amplitude (normalised)")
    assert png(figure).startswith(b"\x89PNG")


def test_a_short_window_is_drawn_too(views):
    assert png(views_figure(views[:2, :100], ["original", "noise"], 256.0))


def test_a_cell_shows_its_share_of_the_row_and_its_count():
    figure = confusion_figure(np.array([[3, 1], [0, 1500]]), ["rest", "arithmetic"])
    (axis,) = figure.axes
    assert texts(axis) == ["75%\n(3)", "25%\n(1)", "0", "100%\n(1,500)"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["rest\nn = 4", "arithmetic\nn = 1,500"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["rest", "arithmetic"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted class", "true class")
    assert png(figure).startswith(b"\x89PNG")


def test_a_rare_confusion_is_not_called_zero_and_an_absent_class_divides_by_nothing():
    (axis,) = confusion_figure(np.array([[999, 1], [0, 0]]), ["a", "b"]).axes
    assert texts(axis) == ["100%\n(999)", "<1%\n(1)", "0", "0"]


def test_all_labels_stay_inside_the_figure():
    figure = confusion_figure(np.full((7, 7), 1234), TRANSFORMS)
    png(figure)
    (axis,) = figure.axes
    for label in [*axis.get_xticklabels(), *axis.get_yticklabels(), axis.title]:
        box = label.get_window_extent()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_no_global_figure_is_made(views):
    views_figure(views, TRANSFORMS, 256.0)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
