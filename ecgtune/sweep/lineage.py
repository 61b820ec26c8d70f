"""Which encoder an emotion sweep stands on: the `[pretext]` table of its `sweep.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
