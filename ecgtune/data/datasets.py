"""The data sets that can be prepared: a name and the function that opens it."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecgtune.data.reader import Reader


def _lazily(module: str, function: str) -> "Callable[..., Reader]":
    """An opener whose module, and the libraries it needs, are imported when it is called."""

    def open_reader(*args: Any, **options: Any) -> "Reader":
        reader: Reader = getattr(import_module(module), function)(*args, **options)
        return reader

    return open_reader


DATASETS: "Mapping[str, Callable[..., Reader]]" = {
    "dreamer": _lazily("ecgtune.data.dreamer", "open_dreamer"),  # (path)
    "eegmat": _lazily("ecgtune.data.eegmat", "open_eegmat"),  # (folder)
    "wfdb": _lazily("ecgtune.data.wfdb_folder", "open_wfdb"),  # (folder, *, name, subjects)
    "arrays": _lazily("ecgtune.data.arrays", "open_arrays"),  # (folder)
}
