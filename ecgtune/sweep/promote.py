"""From a trial's folder to the sweep's `best/`."""

import json
import shutil

from ecgtune.errors import EcgtuneError
from ecgtune.files import replaced_folder
from ecgtune.sweep.folder import SweepFolder


class ModelMissingError(EcgtuneError):
    """A trial led, but left no model of that epoch."""


def promote(folder: SweepFolder, trial_id: str, epoch: int) -> None:
    """Copy a trial's best model to the sweep's `best/`, atomically.

    Args:
        folder: the sweep.
        trial_id: the winner.
        epoch: its best epoch. A worker writes a model before it reports, so after an interruption the model may
            be of a later, better epoch, never of an earlier one.

    Raises:
        ModelMissingError: the model is not there, or is of an earlier epoch.
        StorageError: the disk refused the copy; the old `best/` is unharmed.
    """
    source = folder.trial(trial_id) / "best"
    try:
        found = json.loads((source / "model.json").read_text(encoding="utf-8"))["epoch"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelMissingError(f"trial {trial_id} led at epoch {epoch}, but its model is not in {source}.") from error
    if found < epoch:
        raise ModelMissingError(f"trial {trial_id} led at epoch {epoch}, but {source} holds epoch {found}.")
    with replaced_folder(folder.best, overwrite=True) as temporary:
        for file in source.iterdir():
            shutil.copyfile(file, temporary / file.name)


def promoted(folder: SweepFolder) -> tuple[str, int] | None:
    """Trial and epoch of the model in `best/`, or None where there is none."""
    try:
        card = json.loads((folder.best / "model.json").read_text(encoding="utf-8"))
        return str(card["sweep"]["trial"]), int(card["epoch"])
    except (OSError, ValueError, KeyError):
        return None
