"""Whether what is typed beside `--resume` is what the sweep was begun with: the same command may be typed again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgtune.config import Scalar
from ecgtune.data.store import load_dataset
from ecgtune.space import SearchSpace, as_toml, override
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.resuming import refuse
from ecgtune.sweep.standing import asked_for
from ecgtune.training.checkpoint import ENCODER, load_card

# Settings of a space that the command line may have replaced; they count where they are given there.
_REPLACED = ("num_samples", "max_epochs", "seed", "hold_out", "folds", "grace_period")


@dataclass(frozen=True)
class Given:
    """What was typed; None or empty where it was not.

    Args:
        space: of `--space`.
        settings: by their names in `[sweep]`.
        job: by their names in `[job]`, e.g. `target`.
        data: data-set folders.
        model: the pretext model.
        random_encoder: whether `--random-encoder` was given.
    """

    space: SearchSpace | None = None
    settings: Mapping[str, Scalar | None] | None = None
    job: Mapping[str, Scalar | None] | None = None
    data: Sequence[Path] = ()
    model: Path | None = None
    random_encoder: bool = False


def require_unchanged(folder: SweepFolder, given: Given) -> None:
    """Refuse to go on with a sweep with something else than it was begun with.

    Raises:
        InputError: with every difference; or something that was given cannot be read.
    """
    content = folder.read()
    before: dict[str, Any] = {}
    now: dict[str, Any] = {}

    def compare(table: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            before[f"{table}: {name}"], now[f"{table}: {name}"] = content.get(table, {}).get(name), value

    settings = {name: value for name, value in (given.settings or {}).items() if value is not None}
    compare("sweep", settings)
    compare("job", {name: value for name, value in (given.job or {}).items() if value is not None})
    if given.space is not None:
        fitted = override(given.space.settings, max_epochs=content["sweep"]["max_epochs"])
        table = as_toml(given.space)
        compare("sweep", {name: value for name, value in table["sweep"].items() if name not in _REPLACED})
        if "max_epochs" not in settings or given.space.settings.max_epochs == content["sweep"]["max_epochs"]:
            compare("sweep", {"grace_period": fitted.grace_period})
        gone = dict.fromkeys(content["parameters"])
        compare("parameters", {**gone, **table["parameters"]})
    for number, path in enumerate(given.data):
        known = content["data"][number]["fingerprint"] if number < len(content["data"]) else None
        row = f"data {number}: fingerprint"
        before[row], now[row] = known, load_dataset(path).fingerprint
    lineage = content.get("pretext", {})
    model = None if lineage.get("random_weights") else given.model
    # Another model may lie in the same place by now; planning again looks for the one of before.
    if model is not None and not asked_for(folder, lineage, model):
        compare("pretext", {"encoder_sha256": load_card(model)["files"][ENCODER]["sha256"]})
    if given.random_encoder:
        compare("pretext", {"random_weights": True})
    refuse(folder, before, now, "Leave out what was given beside --resume, or choose another --name.")
