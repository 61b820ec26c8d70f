"""A model's card: what `model.json` says beside its weights."""

import math
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ecgtune import __version__
from ecgtune.config import EmotionConfig, EncoderConfig, PretextConfig, parameters
from ecgtune.data.store import WindowDataset
from ecgtune.training.result import EpochResult

# Parts of `dataset.json` that say how windows were made, and not which.
_NOT_PREPARATION = {"format", "name", "fingerprint", "n_windows", "targets", "sources", "dropped", "ecgtune"}


def model_card(
    config: PretextConfig | EmotionConfig,
    result: EpochResult,
    *,
    encoder: EncoderConfig,
    heads: Mapping[str, Any],
    datasets: Sequence[WindowDataset],
    train: Collection[str],
    val: Collection[str],
    held_out: Collection[str] = (),
    seed: int,
    transductive: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """The content of `model.json`, all of it plain JSON.

    Args:
        config: of the run.
        result: the epoch whose weights are saved.
        encoder: the encoder's architecture, which is not the config's own in the emotion stage.
        heads: what is needed to build the heads again.
        datasets: that the run used.
        train: persons trained on (`data set:subject`); so are `val` and `held_out`.
        val: persons validated on.
        held_out: persons never seen.
        seed: of the run.
        transductive: whether the encoder has seen persons of the validation side.
        more: further entries, e.g. `target`.
    """
    return {
        "stage": "pretext" if isinstance(config, PretextConfig) else "emotion",
        "architecture": {"encoder": asdict(encoder), "heads": dict(heads)},
        "preprocessing": preparation(datasets[0]),
        "parameters": parameters(config),
        "metrics": {name: value if math.isfinite(value) else None for name, value in result.metrics.items()},
        "epoch": result.epoch,
        "lr": result.lr,
        # With batch norm, whose statistics are those of a micro-batch, it is a part of what the model is.
        "training": {"micro_batch": result.micro_batch},
        "seed": seed,
        "data": [
            {"name": d.name, "folder": d.folder.name, "fingerprint": d.fingerprint, "n_windows": len(d.windows)}
            for d in datasets
        ],
        "subjects": {"train": sorted(train), "val": sorted(val), "held_out": sorted(held_out)},
        "transductive": transductive,
        **more,
        "versions": {
            "ecgtune": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def preparation(dataset: WindowDataset) -> dict[str, Any]:
    """How a data set's windows were made: the entries of its `dataset.json` that are not about its content."""
    return {name: value for name, value in dataset.info.items() if name not in _NOT_PREPARATION}
