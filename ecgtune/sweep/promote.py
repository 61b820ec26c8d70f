"""From a trial's folder to the sweep's `best/`."""

import json
import shutil

from ecgtune.errors import EcgtuneError
from ecgtune.files import replaced_folder
from ecgtune.sweep.folder import SweepFolder


def promote(folder: SweepFolder, trial_id: str, epoch: int) -> None:
    """Copy a trial's best model to the sweep's `best/`, atomically.

    Args:
        folder: the sweep.
        trial_id: the winner.
        epoch: its best epoch. A worker writes a model before it reports, so after an interruption the model may
            be of a later, better epoch, never of an earlier one.

    Raises:
        EcgtuneError: the model on disk is of an earlier epoch.
    """
    source = folder.trial(trial_id) / "best"
    card = json.loads((source / "model.json").read_text(encoding="utf-8"))
    if card["epoch"] < epoch:
        raise EcgtuneError(f"{source} holds epoch {card['epoch']}, but the winner is epoch {epoch}.")
    with replaced_folder(folder.best, overwrite=True) as temporary:
        shutil.copytree(source, temporary, dirs_exist_ok=True)


def promoted(folder: SweepFolder) -> tuple[str, int] | None:
    """Trial and epoch of the model in `best/`, or None where there is none."""
    try:
        card = json.loads((folder.best / "model.json").read_text(encoding="utf-8"))
        return str(card["sweep"]["trial"]), int(card["epoch"])
    except (OSError, ValueError, KeyError):
        return None
