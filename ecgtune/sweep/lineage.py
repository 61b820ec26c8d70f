"""Which encoder an emotion sweep stands on: the `[pretext]` table of its `sweep.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgtune.errors import InputError
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.paths import located
from ecgtune.training.checkpoint import ENCODER, load_card


@dataclass(frozen=True)
class EncoderOrigin:
    """Where an emotion sweep's encoder comes from.

    Args:
        sweep: the pretext sweep; None where the model is of no sweep.
        trial: of that sweep.
        random_weights: whether only the architecture comes from there.
        model: the model's folder, as `sweep.toml` has it.
        encoder_sha256: of the encoder's weights.
    """

    sweep: str | None
    trial: str | None
    random_weights: bool
    model: str
    encoder_sha256: str


def encoder_origin(content: Mapping[str, Any]) -> EncoderOrigin:
    """From the content of a `sweep.toml`."""
    table = content["pretext"]
    return EncoderOrigin(
        table.get("sweep_name"),
        table.get("sweep_trial"),
        bool(table["random_weights"]),
        str(table["model"]),
        str(table["encoder_sha256"]),
    )


def require_same_encoder(folder: SweepFolder, content: Mapping[str, Any]) -> None:
    """Refuse an emotion sweep whose pretext model is no longer the one that it was begun with.

    Args:
        folder: of the sweep.
        content: of its `sweep.toml`.

    Raises:
        InputError: the model is gone, damaged, or has been replaced since.
    """
    then = encoder_origin(content).encoder_sha256
    model = Path(located(content["job"]["model"], folder))
    now = load_card(model)["files"][ENCODER]["sha256"]
    if now != then:
        raise InputError(
            f"{folder.name}: the pretext model in {model} has been replaced since this sweep was begun (encoder "
            f"{then[:12]} then, {now[:12]} now), and one sweep cannot stand on two encoders. Begin a new emotion "
            "sweep on the present model with another --name, or put the old model back."
        )
