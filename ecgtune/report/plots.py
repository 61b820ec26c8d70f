"""Figures that TensorBoard and reports show; each stands alone and needs no pyplot state."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

_INK, _ORIGINAL = "#1f4e79", "#b0b0b0"


def views_figure(views: NDArray[np.floating], names: Sequence[str], sfreq: float) -> Figure:
    """The views of one window below each other, the original in grey behind each.

    Args:
        views: [n_views, n_times], the original first; in units of the window's normalisation.
        names: one per view.
        sfreq: in Hz.
    """
    seconds = np.arange(views.shape[1]) / sfreq
    figure = Figure(figsize=(9, 1.15 * len(views) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(views), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axis, view, name in zip(axes, views, names, strict=True):
        axis.plot(seconds, views[0], color=_ORIGINAL, linewidth=0.7)
        if view is not views[0]:
            axis.plot(seconds, view, color=_INK, linewidth=0.8)
        axis.set_title(name.replace("_", " "), loc="left", fontsize=10, pad=2)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    axes[-1].set_xlabel("time (s)", fontsize=9)
    axes[-1].set_xlim(0, seconds[-1])
    figure.supylabel("amplitude (normalised)", fontsize=9)
    return figure


def confusion_figure(counts: NDArray[np.integer], names: Sequence[str]) -> Figure:
    """A confusion matrix: each cell has its count and its share of the true class.

    Args:
        counts: [n_classes, n_classes], rows are the truth.
        names: one per class.
    """
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    share = counts / totals
    side = 1.8 + 0.85 * len(names)
    figure = Figure(figsize=(side + 1.0, side), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    image = axis.imshow(share, vmin=0, vmax=1, cmap="Blues")
    labels = [name.replace("_", " ") for name in names]
    axis.set_xticks(range(len(names)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), labels)
    for (row, column), value in np.ndenumerate(counts):
        axis.text(
            column,
            row,
            f"{value:,}\n{share[row, column]:.0%}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if share[row, column] > 0.55 else "black",
        )
    axis.set_xlabel("predicted")
    axis.set_ylabel("truth")
    figure.colorbar(image, ax=axis, shrink=0.8, label="share of the true class")
    return figure
