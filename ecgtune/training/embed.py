"""What a frozen encoder says of every window of a data set: computed once, kept on disk."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ecgtune.config import EncoderConfig
from ecgtune.data.cache import cache_folder
from ecgtune.data.store import WindowDataset
from ecgtune.files import replaced
from ecgtune.models import Encoder
from ecgtune.models import summaries as summarise
from ecgtune.models.kept import unchanging_weights
from ecgtune.training.loop import Progress

# Windows per forward pass; the result does not depend on it beyond rounding.
_BATCH = 64
# Part of every key: raise it when what is computed changes.
_VERSION = 2


def encoder_fingerprint(encoder: Encoder, architecture: EncoderConfig) -> str:
    """SHA-256 over what decides an encoder's feature maps: architecture and weights, the pooling left out."""
    digest = hashlib.sha256(repr(sorted((asdict(architecture) | {"pooling": ""}).items())).encode())
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def summaries(
    encoder: Encoder,
    architecture: EncoderConfig,
    dataset: WindowDataset,
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """The summaries of every window, good or not: [n_windows, 3 * 128], max then mean then std.

    Kept ones are memory-mapped. Any pooling can be taken from them with `ecgtune.models.select`.

    Args:
        encoder: on the CPU; evaluated in evaluation mode.
        architecture: of the encoder.
        dataset: the windows.
        cache: where embeddings are kept; None means `cache_folder()`.
        progress: called while they are computed.

    Raises:
        StorageError: the cache folder cannot be written.
    """
    key = f"{_VERSION}|{encoder_fingerprint(encoder, architecture)}|{dataset.fingerprint}"
    path = (cache or cache_folder()) / f"summaries-{hashlib.sha256(key.encode()).hexdigest()[:40]}.npy"
    known = _read(path, len(dataset.windows))
    if known is not None:
        return known
    computed = _compute(encoder, dataset, progress)
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.save(file, computed)
    return computed


@torch.no_grad()
@unchanging_weights()
def _compute(encoder: Encoder, dataset: WindowDataset, progress: Progress | None) -> NDArray[np.float32]:
    training, path = encoder.training, encoder.path
    encoder.eval()
    # In float32 whatever the machine, so that what is kept does not depend on it by more than rounding.
    encoder.path = "fourier"
    try:
        return _in_batches(encoder, dataset, progress)
    finally:
        encoder.train(training)
        encoder.path = path


def _in_batches(encoder: Encoder, dataset: WindowDataset, progress: Progress | None) -> NDArray[np.float32]:
    parts = []
    n_windows = len(dataset.windows)
    for start in range(0, n_windows, _BATCH):
        windows = torch.from_numpy(np.array(dataset.windows[start : start + _BATCH]))
        parts.append(summarise(encoder.feature_maps(windows)).numpy())
        if progress:
            progress(min(start + _BATCH, n_windows), n_windows)
    return np.concatenate(parts)


def _read(path: Path, n_windows: int) -> NDArray[np.float32] | None:
    """A kept file, or None where there is none or it is not what it should be."""
    try:
        kept: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):
        return None
    return kept if kept.ndim == 2 and len(kept) == n_windows and kept.dtype == np.float32 else None
