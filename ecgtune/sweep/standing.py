"""Where the encoder of an emotion sweep lies.

A sweep's `best/` is replaced when the sweep is extended and another trial wins; the model of a trial that has ended is
not, and its weights are kept for as long as something refers to them. So an emotion sweep stands on the trial.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecgtune.errors import InputError
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.lineage import encoder_origin
from ecgtune.sweep.paths import located, portable
from ecgtune.training.checkpoint import ENCODER, load_card


def standing_model(model: Path) -> Path:
    """The model to stand on where `model` was asked for, absolute.

    Args:
        model: of a sweep's `best/`, or any other.

    Returns:
        The model of the trial that `best/` was copied from where it has the same encoder still, else `model`.

    Raises:
        InputError: `model` is missing or damaged.
    """
    model = model.resolve()
    card = load_card(model)
    sweep, trial = SweepFolder(model.parent), card.get("sweep", {}).get("trial")
    if model != sweep.best or not sweep.definition.is_file() or trial is None:
        return model
    own = sweep.trial(str(trial)) / "best"
    return own if _encoder(own) == card["files"][ENCODER]["sha256"] else model


def asked_for(folder: SweepFolder, lineage: Mapping[str, Any], model: Path) -> bool:
    """Whether an emotion sweep was begun with `--pretext` leading to this place, whatever lies there by now.

    Args:
        folder: of the emotion sweep.
        lineage: the `[pretext]` table of its `sweep.toml`; empty where it has none.
        model: a model's folder.
    """
    begun_with = lineage.get("asked_for", lineage.get("model"))
    return begun_with is not None and located(begun_with, folder) == str(model.resolve())


def with_its_encoder(folder: SweepFolder, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of an emotion sweep's `sweep.toml`, with its model where its encoder lies now.

    Looked for at the recorded place, in the trial that it came from, and in that sweep's `best/`.

    Args:
        folder: of the sweep.
        content: of its `sweep.toml`.

    Raises:
        InputError: the model is gone, damaged, or has been replaced since.
    """
    origin = encoder_origin(content)
    recorded = Path(located(content["job"]["model"], folder))
    for place in _places(recorded, origin.trial):
        if _encoder(place) == origin.encoder_sha256:
            break
    else:
        now = load_card(recorded)["files"][ENCODER]["sha256"]
        raise InputError(
            f"{folder.name}: the pretext model in {recorded} has been replaced since this sweep was begun (encoder "
            f"{origin.encoder_sha256[:12]} then, {now[:12]} now), and one sweep cannot stand on two encoders. Begin a "
            "new emotion sweep on the present model with another --name, or put the old model back."
        )
    if place == recorded:
        return dict(content)
    model = portable(place, folder)
    lineage = {"asked_for": origin.model, **content["pretext"], "model": model}
    return {**content, "job": {**content["job"], "model": model}, "pretext": lineage}


def _places(model: Path, trial: str | None) -> Iterator[Path]:
    yield model
    # The sweep's folder, seen from `best/` and from `trials/ID/best`.
    for sweep in map(SweepFolder, (model.parent, *model.parents[2:3])):
        if trial is not None and sweep.definition.is_file():
            yield from (sweep.trial(trial) / "best", sweep.best)


def _encoder(model: Path) -> str | None:
    """The checksum of a model's encoder; None where it is not whole."""
    try:
        return str(load_card(model)["files"][ENCODER]["sha256"])
    except InputError:
        return None
