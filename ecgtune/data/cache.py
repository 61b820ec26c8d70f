"""Where things are kept that can be made again."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """`ECGTUNE_CACHE`, or the user's cache folder."""
    return Path(os.environ.get("ECGTUNE_CACHE") or platformdirs.user_cache_dir("ecgtune"))
