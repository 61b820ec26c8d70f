"""One epoch of a run -> a model folder, for a single run and a sweep alike."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ecgtune.config import EmotionConfig, EncoderConfig, PretextConfig
from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import Split
from ecgtune.pretext import PRETEXT_TASKS
from ecgtune.training.card import model_card
from ecgtune.training.checkpoint import ENCODER, save_model
from ecgtune.training.emotion_data import EmotionData
from ecgtune.training.emotion_loss import N_OUTPUTS
from ecgtune.training.features import pooling_of
from ecgtune.training.predictions import PREDICTIONS, write_predictions
from ecgtune.training.result import EpochResult

# What the card of an emotion model repeats of the pretext model that it stands on.
_INHERITED = ("parameters", "metrics", "epoch", "seed", "data", "subjects", "sweep")


def save_pretext(
    folder: Path, config: PretextConfig, pool: WindowPool, split: Split, result: EpochResult, *, seed: int, **more: Any
) -> None:
    """Write a pretext model; call it before the generator goes on.

    Args:
        folder: created, or replaced.
        config: of the run.
        pool: the run's windows.
        split: the run's split.
        result: the epoch to save.
        seed: of the run.
        more: further entries for the card.

    Raises:
        StorageError: the disk refused the write.
    """
    snapshot = result.snapshot()
    classes = PRETEXT_TASKS[config.task](config).classes
    card = model_card(
        config,
        result,
        encoder=config.encoder,
        heads={"classes": list(classes), "hidden": config.head.hidden, "dropout": config.head.dropout},
        datasets=pool.datasets,
        train=set(pool.persons[split.train].tolist()),
        val=set(pool.persons[split.val].tolist()),
        held_out=split.held_out,
        seed=seed,
        **more,
    )
    save_model(folder, encoder=snapshot.encoder, heads=snapshot.heads, card=card)


def save_emotion(
    folder: Path, config: EmotionConfig, data: EmotionData, result: EpochResult, *, seed: int, **more: Any
) -> None:
    """Write an emotion model, one head per fold, and its predictions; call it before the generator goes on.

    Every person is trained on in all folds but their own, so `subjects.train` holds everybody. `transductive` says
    that something of the validated people was used without their labels: by the encoder, or to scale features.

    Args:
        folder: created, or replaced.
        config: of the run.
        data: of the run.
        result: the epoch to save.
        seed: of the run.
        more: further entries for the card.

    Raises:
        StorageError: the disk refused the write.
    """
    snapshot = result.snapshot()
    heads = {
        **asdict(config.head),
        "loss": config.loss,
        "n_outputs": N_OUTPUTS[config.loss],
        "folds": len(data.folds),
        "pooling": pooling_of(config, data),
        "features": config.features,
    }
    pretext = {name: data.card[name] for name in _INHERITED if name in data.card}
    card = model_card(
        config,
        result,
        encoder=EncoderConfig(**data.card["architecture"]["encoder"]),
        heads=heads,
        datasets=[data.dataset],
        train=set(data.persons.tolist()),
        val=data.validated,
        seed=seed,
        transductive=data.transductive or config.features == "person",
        target=asdict(data.target) | {"threshold": data.threshold},
        notes=list(data.notes),
        pretext=pretext | {"encoder": data.card["files"][ENCODER]["sha256"]},
        **more,
    )

    def predictions(temporary: Path) -> None:
        if snapshot.predictions is not None:
            write_predictions(temporary / PREDICTIONS, data, snapshot.predictions)

    save_model(folder, encoder=snapshot.encoder, heads=snapshot.heads, card=card, more=predictions)
