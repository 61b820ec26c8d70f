"""Random streams derived from one seed, so that every epoch can be repeated on its own.

A stream's seed is the first 8 bytes of the SHA-256 of `ecgtune/1|seed|stream|numbers`, as a whole number below
2**63. Streams with different names or numbers are unrelated, and nothing depends on how much another has drawn.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive(seed: int, stream: str, *numbers: int) -> int:
    """The seed of one stream, in [0, 2**63).

    Args:
        seed: of the run.
        stream: what it is for, e.g. `views`.
        numbers: which one of that kind, e.g. the epoch, then the fold.
    """
    text = "|".join(["ecgtune/1", str(seed), stream, *map(str, numbers)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_generator(seed: int, stream: str, *numbers: int, device: str = "cpu") -> torch.Generator:
    """A PyTorch generator at the start of a stream."""
    return torch.Generator(device).manual_seed(derive(seed, stream, *numbers))


def numpy_generator(seed: int, stream: str, *numbers: int) -> np.random.Generator:
    """A NumPy generator at the start of a stream."""
    return np.random.default_rng(derive(seed, stream, *numbers))


@contextmanager
def global_stream(seed: int, stream: str, *numbers: int, device: str = "cpu") -> Iterator[None]:
    """Put PyTorch's global generators at the start of a stream, and back as they were when the block ends.

    Dropout draws from them; there is no other way to seed it.
    """
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(derive(seed, stream, *numbers))
        yield
