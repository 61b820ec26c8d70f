"""Figures that TensorBoard and reports show; each stands alone and needs no pyplot state."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

_INK, _ORIGINAL, _FAINT = "#1f4e79", "#e08a3c", "#8a8a8a"
_CLOSE_UP = 1.2  # seconds


def views_figure(views: NDArray[np.floating], names: Sequence[str], sfreq: float) -> Figure:
    """The views of one window below each other; on the right a close-up of its middle, over the original.

    Args:
        views: [n_views, n_times], the original first; in units of the window's normalisation.
        names: one per view.
        sfreq: in Hz.
    """
    seconds = np.arange(views.shape[1]) / sfreq
    middle = seconds[-1] / 2
    figure = Figure(figsize=(10, 1.1 * len(views) + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(
        len(views), 2, sharex="col", sharey=True, squeeze=False, gridspec_kw={"width_ratios": [2, 1]}
    )
    for (whole, close), view, name in zip(grid, views, names, strict=True):
        whole.plot(seconds, view, color=_INK, linewidth=0.9)
        whole.set_title(name.replace("_", " "), loc="left", fontsize=12, pad=1)
        close.plot(seconds, view, color=_INK, linewidth=1.2)
        close.plot(seconds, views[0], color=_ORIGINAL, linewidth=0.9)
        for axis in (whole, close):
            axis.spines[["top", "right"]].set_visible(False)
            axis.tick_params(labelsize=10)
            axis.margins(y=0.08)
    grid[0, 1].set_title("close-up; the original in orange", loc="left", fontsize=10, pad=1)
    grid[-1, 0].set_xlim(0, seconds[-1])
    grid[-1, 1].set_xlim(max(middle - _CLOSE_UP / 2, 0), middle + _CLOSE_UP / 2)
    figure.supxlabel("time (s)", fontsize=11)
    figure.supylabel("amplitude (normalised)", fontsize=11)
    return figure


def confusion_figure(counts: NDArray[np.integer], names: Sequence[str]) -> Figure:
    """A confusion matrix: each cell has its share of the true class, and below it its count.

    Args:
        counts: [n_classes, n_classes], rows are the truth.
        names: one per class.
    """
    totals = counts.sum(axis=1)
    share = counts / np.maximum(totals, 1)[:, None]
    figure = Figure(figsize=(3.2 + 0.8 * len(names), 2.2 + 0.75 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.imshow(share, vmin=0, vmax=1, cmap="Blues")
    labels = [name.replace("_", " ") for name in names]
    axis.set_xticks(range(len(names)), labels, fontsize=11)
    if len(names) > 3:
        axis.tick_params(axis="x", labelrotation=40)
        for label in axis.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    rows = [f"{label}\nn = {total:,}" for label, total in zip(labels, totals, strict=True)]
    axis.set_yticks(range(len(names)), rows, fontsize=11)
    axis.tick_params(length=0)
    for (row, column), count in np.ndenumerate(counts):
        ink = "white" if share[row, column] > 0.55 else ("black" if count else _FAINT)
        percent = "<1%" if 0 < share[row, column] < 0.005 else f"{share[row, column]:.0%}"
        text = f"{percent}\n({count:,})" if count else "0"
        axis.text(column, row, text, ha="center", va="center", fontsize=10, color=ink)
    axis.set_xlabel("predicted class", fontsize=12)
    axis.set_ylabel("true class", fontsize=12)
    axis.set_title("share of the true class (count)", fontsize=12, loc="left")
    return figure
