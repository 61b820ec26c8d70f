"""A small generated DREAMER, made once and kept, so that a sweep runs where no data are at hand."""

from pathlib import Path

from ecgtune import __version__
from ecgtune.data.cache import cache_folder
from ecgtune.data.dreamer import open_dreamer
from ecgtune.data.prepare import prepare
from ecgtune.data.preprocessing import Preparation
from ecgtune.data.synthetic.dreamer import write_dreamer

SUBJECTS, MINUTES, SEED, EFFECT = 12, 3.0, 0, 1.0


def generated_dreamer() -> Path:
    """The data-set folder; made at the first call, in about ten seconds.

    Raises:
        StorageError: the cache folder cannot be written.
    """
    place = cache_folder() / f"generated-dreamer-{__version__}"
    folder = place / "dreamer"
    if not (folder / "dataset.json").is_file():
        raw = place / "DREAMER.mat"
        write_dreamer(raw, subjects=SUBJECTS, minutes=MINUTES, seed=SEED, effect=EFFECT, eeg=False, overwrite=True)
        prepare(open_dreamer(raw), folder, Preparation(), overwrite=True)
        raw.unlink()
    return folder
