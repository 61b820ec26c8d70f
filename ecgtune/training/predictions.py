"""Out-of-fold predictions as a table that anyone can read."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtune.errors import InputError
from ecgtune.files import replaced
from ecgtune.training.emotion_data import EmotionData

PREDICTIONS = "predictions.csv"


def write_predictions(path: Path, data: EmotionData, probabilities: NDArray[np.float32]) -> None:
    """Write one row per validated window: row of the data set, person, truth, probability, fold from 1.

    Args:
        path: the CSV file.
        data: what was trained on.
        probabilities: [n] of class 1, NaN for windows that no fold validates on.
    """
    table = pd.DataFrame(
        {
            "row": data.rows,
            "person": data.persons,
            "truth": data.classes,
            "probability": probabilities,
            "fold": data.fold_of + 1,
        }
    )
    with replaced(path) as temporary:
        table[data.fold_of >= 0].to_csv(temporary, index=False)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read what `write_predictions` wrote.

    Raises:
        InputError: the file is missing or is no such table.
    """
    try:
        table = pd.read_csv(path, dtype={"person": str})
        return table[["row", "person", "truth", "probability", "fold"]]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} has no out-of-fold predictions ({error}). Run the emotion sweep again.") from error
