"""What trials that were stopped would have reached, going by those that went on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def outlook(curves: Sequence[NDArray[np.float64]], max_epochs: int) -> NDArray[np.float64]:
    """[n]: the best score that each trial may be expected to have after its last epoch.

    It is the best so far, and what the best so far grew by, in the mean over the trials that were trained so long, in
    each of the epochs that are left. So the scores of trials of different lengths can be compared; the order of those
    that were stopped at one rung stays as it is.

    Args:
        curves: per trial, the scores of its epochs, higher is better; at least one epoch each.
        max_epochs: of a trial.
    """
    best = [np.maximum.accumulate(curve[:max_epochs]) for curve in curves]
    growth, trained = np.zeros(max_epochs), np.zeros(max_epochs)
    for curve in best:
        growth[1 : len(curve)] += np.diff(curve)
        trained[1 : len(curve)] += 1
    ahead = np.append(np.cumsum((growth / np.maximum(trained, 1))[::-1])[::-1], 0.0)
    return np.array([curve[-1] + ahead[len(curve)] for curve in best])
