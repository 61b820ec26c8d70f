"""An encoder with random weights, as a model: the baseline that a pretext-trained encoder has to beat."""

import hashlib
import json
from pathlib import Path

from ecgtune.config import EncoderConfig
from ecgtune.models import build_encoder
from ecgtune.training.checkpoint import load_card, save_model
from ecgtune.training.seed import derive, torch_generator


def random_encoder(model: Path, seed: int, cache: Path) -> Path:
    """A model folder like `model`, of the same architecture and subjects, with fresh weights; made once and kept.

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
    # All that the card takes from the source: two models that differ in it must not share a folder.
    taken = json.dumps([architecture, card["preprocessing"], card["subjects"]], sort_keys=True)
    name = f"{derive(seed, 'random encoder ' + hashlib.sha256(taken.encode()).hexdigest()):016x}"
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
