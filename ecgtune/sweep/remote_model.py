"""A model's folder at a URI: uploaded with its card last, and fetched such that card and weights belong together."""

import json
from collections.abc import Collection
from pathlib import Path

from ecgtune.files import sha256
from ecgtune.remote import Remote

CARD = "model.json"


def is_whole(model: Path) -> bool:
    """Whether a model's folder has a card, and all the files that it names."""
    return (model / CARD).is_file() and all(
        _sha256(model / file) == digest for file, digest in _checksums(model / CARD).items()
    )


def upload_model(remote: Remote, name: str, model: Path) -> bool:
    """Upload a model's folder, its card last; whether it stayed the same meanwhile.

    A model without a card is none, so nobody ever takes weights for those of another epoch.

    Raises:
        RemoteError: the store refused.
    """
    card = content_of(model / CARD)
    if card is None:
        return False
    remote.remove(f"{name}/{CARD}")
    # What an older model has left: a note that says that its weights are gone, for instance.
    for left in remote.files(name):
        if not (model / left.removeprefix(f"{name}/")).exists():
            remote.remove(left)
    for path in sorted(model.iterdir()):
        content = None if path.name == CARD or path.name.startswith(".") else content_of(path)
        if content is not None:
            remote.write(f"{name}/{path.name}", content)
    if content_of(model / CARD) != card:
        return False  # replaced meanwhile; it is tried again
    remote.write(f"{name}/{CARD}", card)
    return True


def torn(folder: Path, fetched: Collection[str]) -> set[str]:
    """The models, by their folders' names, whose card names another file than the one that was fetched with it.

    Args:
        folder: of the sweep.
        fetched: names of files in it.
    """
    models = {name.removesuffix(f"/{CARD}") for name in fetched if name.endswith(f"/{CARD}")}
    return {
        name
        for name in models
        for file, digest in _checksums(folder / name / CARD).items()
        if f"{name}/{file}" in fetched and _sha256(folder / name / file) != digest
    }


def content_of(path: Path) -> bytes | None:
    """Of a file here; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _checksums(card: Path) -> dict[str, str]:
    """Of the files that a card names; empty where it names none, or cannot be read."""
    try:
        files = json.loads(card.read_text(encoding="utf-8"))["files"]
        return {str(name): str(entry["sha256"]) for name, entry in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _sha256(path: Path) -> str | None:
    try:
        return sha256(path)
    except OSError:
        return None
