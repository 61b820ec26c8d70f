"""Search-space files: what a sweep varies, between which bounds, and how it is run. No Ray, no Optuna."""

from ecgtune.space.parameters import Categorical, Float, Int, Parameter, active, is_active
from ecgtune.space.reading import SearchSpace, as_toml, read_space, space_from
from ecgtune.space.settings import METRICS, SweepSettings, override
from ecgtune.space.shipped import find_space, shipped_spaces

__all__ = [
    "METRICS",
    "Categorical",
    "Float",
    "Int",
    "Parameter",
    "SearchSpace",
    "SweepSettings",
    "active",
    "as_toml",
    "find_space",
    "is_active",
    "override",
    "read_space",
    "shipped_spaces",
    "space_from",
]
