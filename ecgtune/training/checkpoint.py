"""Models on disk as safetensors and JSON.

encoder.safetensors   the encoder's weights
heads.safetensors     the heads' weights
model.json            the card: what the model is and where it comes from, with the SHA-256 of both files
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ecgtune.config import EncoderConfig
from ecgtune.convolution_path import ConvolutionPath
from ecgtune.errors import InputError
from ecgtune.files import replaced_folder, sha256, write_json
from ecgtune.models import Encoder, build_encoder
from ecgtune.training.removed import removal_note

FORMAT = 1
ENCODER = "encoder.safetensors"
HEADS = "heads.safetensors"
CARD = "model.json"
_ADVICE = "Train the model again with `ecgtune train` or `ecgtune sweep`, or choose another folder."


def save_model(
    folder: Path,
    *,
    encoder: Mapping[str, Tensor],
    heads: Mapping[str, Tensor],
    card: Mapping[str, Any],
    more: Callable[[Path], None] = lambda _folder: None,
) -> None:
    """Write a model folder whole, or leave the old one as it was.

    Args:
        folder: created, or replaced.
        encoder: state dict.
        heads: state dict.
        card: see `ecgtune.training.card`; format and checksums are added.
        more: writes further files into the folder, so that they appear with the model.

    Raises:
        StorageError: the disk refused the write.
    """
    with replaced_folder(folder, overwrite=True) as temporary:
        files = {}
        for name, tensors in ((ENCODER, encoder), (HEADS, heads)):
            # safetensors wants row-major tensors; convolution weights may lie channels-last.
            save_file({key: value.cpu().contiguous() for key, value in tensors.items()}, temporary / name)
            # safetensors makes files that their owner alone can read; the rest of the folder is open to all.
            (temporary / name).chmod(0o644)
            files[name] = {"sha256": sha256(temporary / name)}
        more(temporary)
        write_json(temporary / CARD, {"format": FORMAT, **card, "files": files})


def load_card(folder: Path) -> dict[str, Any]:
    """Read a model's card after checking that the folder is whole.

    Raises:
        InputError: the folder is missing, incomplete, damaged, or of another format, or its weights were removed.
    """
    card = read_card(folder)
    for name in (ENCODER, HEADS):
        if not (folder / name).is_file():
            note = removal_note(folder)
            if note is not None:
                raise InputError(f"{folder} holds a card and no model: {note}")
            raise InputError(f"{folder} is incomplete: it has no {name}. {_ADVICE}")
        if sha256(folder / name) != card["files"][name]["sha256"]:
            raise InputError(f"{folder / name} is damaged: its checksum is not the one in {CARD}. {_ADVICE}")
    return card


def read_card(folder: Path) -> dict[str, Any]:
    """Read a model's card, whether or not its weights are there.

    Raises:
        InputError: the card is missing, damaged or of another format.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        written_as, _ = card["format"], [card["files"][name]["sha256"] for name in (ENCODER, HEADS)]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{folder} is not a model folder: it has no {CARD}. {_ADVICE}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / CARD} cannot be read: {error!r}. {_ADVICE}") from error
    if written_as != FORMAT:
        raise InputError(f"{folder} has format {written_as}; this version reads format {FORMAT}. {_ADVICE}")
    return dict(card)


def load_encoder(folder: Path, path: ConvolutionPath = "direct") -> tuple[Encoder, dict[str, Any]]:
    """Read an encoder, in evaluation mode on the CPU, and its card.

    Args:
        folder: of a model.
        path: how convolutions are computed.

    Raises:
        InputError: the folder is missing, damaged or of another format, or holds one encoder per fold.
    """
    card = load_card(folder)
    try:
        encoder = build_encoder(EncoderConfig(**card["architecture"]["encoder"]), torch.Generator(), path)
        tensors = load_file(folder / ENCODER)
        if any(name.startswith("fold") for name in tensors):
            raise InputError(
                f"{folder} holds one encoder per fold, because it was trained with emotion/unfreeze. "
                "Choose the pretext model that it started from, or a model with a frozen encoder."
            )
        encoder.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder} holds no encoder that this version can build: {error}") from error
    return encoder.eval(), card
