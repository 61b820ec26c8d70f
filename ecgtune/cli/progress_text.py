"""Numbers, times and parameters as a progress display writes them."""

from collections import Counter
from collections.abc import Mapping

from ecgtune.config import Scalar


def duration(seconds: float) -> str:
    """A time span in words, coarser as it gets longer: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    total = round(seconds)
    if seconds < 1:
        return "under 1 s"
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def score_text(value: float | None) -> str:
    """A metric in at most eight characters; a dash where there is none yet."""
    if value is None:
        return "—"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e3 else f"{value:.2g}"


def rate(value: float) -> str:
    """A throughput; a dash while it is unknown."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value > 0 else "—"


def scalar(value: Scalar) -> str:
    """A parameter's value, numbers to three digits."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def short_names(names: list[str]) -> dict[str, str]:
    """The shortest endings of slash names that still tell them apart.

    `pretext/adam/lr` is `lr` where no other parameter ends in `lr`, else `adam/lr`; `type` alone says nothing, so
    `pretext/scheduler/type` is `scheduler`.
    """
    paths = {name: name.removesuffix("/type").split("/") for name in names}
    ending = Counter(path[-1] for path in paths.values())
    return {name: path[-1] if ending[path[-1]] == 1 else "/".join(path[-2:]) for name, path in paths.items()}


def parameters_text(parameters: Mapping[str, Scalar]) -> str:
    """Parameters on one line, under short names."""
    short = short_names(list(parameters))
    return "  ".join(f"{short[name]} {scalar(value)}" for name, value in parameters.items())
