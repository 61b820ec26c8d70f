"""An encoder with random weights, as a model: the baseline that a pretext-trained encoder has to beat."""

from pathlib import Path

from ecgtune.config import EncoderConfig
from ecgtune.models import build_encoder
from ecgtune.training.checkpoint import load_card, save_model
from ecgtune.training.seed import derive, torch_generator


def random_encoder(model: Path, seed: int, cache: Path) -> Path:
    """A model folder with the architecture of `model` and fresh weights, made once and kept.

    Args:
        model: a pretext model's folder.
        seed: of the weights.
        cache: the folder to keep it in.

    Raises:
        InputError: `model` cannot be read.
        StorageError: the disk refused the write.
    """
    card = load_card(model)
    architecture = card["architecture"]["encoder"]
    name = f"{derive(seed, 'random encoder ' + repr(sorted(architecture.items()))):016x}"
    folder = cache / "random-encoders" / name
    if not (folder / "model.json").is_file():
        encoder = build_encoder(EncoderConfig(**architecture), torch_generator(seed, "random encoder"))
        save_model(
            folder,
            encoder=encoder.state_dict(),
            heads={},
            card={
                "stage": "pretext",
                "architecture": {"encoder": architecture, "heads": {}},
                "preprocessing": card["preprocessing"],
                "random_weights": True,
                "seed": seed,
                "epoch": 0,
                # Nobody was seen, but who may be validated on must be the same as for the trained encoder.
                "subjects": card["subjects"],
                "transductive": False,
            },
        )
    return folder
