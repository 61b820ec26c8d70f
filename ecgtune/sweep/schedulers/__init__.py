"""What decides how far each trial is trained: pure classes, by name. No Ray, no Optuna, no files."""

from collections.abc import Callable, Mapping

from ecgtune.space import SweepSettings
from ecgtune.sweep.schedulers.asha import Asha
from ecgtune.sweep.schedulers.asha_promote import AshaPromote
from ecgtune.sweep.schedulers.hyperband import Hyperband
from ecgtune.sweep.schedulers.median import Median
from ecgtune.sweep.schedulers.once import Once
from ecgtune.sweep.schedulers.pasha import Pasha
from ecgtune.sweep.schedulers.protocol import Scheduler, Verdict
from ecgtune.sweep.schedulers.run_all import RunAll

SCHEDULERS: Mapping[str, Callable[[SweepSettings, int], Scheduler]] = {
    "asha": lambda settings, epochs: Asha(_grace(settings, epochs), settings.reduction_factor, epochs),
    "asha_promote": lambda settings, epochs: AshaPromote(_grace(settings, epochs), settings.reduction_factor, epochs),
    "pasha": lambda settings, epochs: Pasha(_grace(settings, epochs), settings.reduction_factor, epochs),
    "hyperband": lambda settings, epochs: Hyperband(_grace(settings, epochs), settings.reduction_factor, epochs),
    "median": lambda settings, epochs: Median(_grace(settings, epochs), epochs),
    "none": lambda _settings, _epochs: RunAll(),
}
"""The name in a space file -> a builder that takes the settings and the most epochs of a trial."""

__all__ = [
    "SCHEDULERS",
    "Asha",
    "AshaPromote",
    "Hyperband",
    "Median",
    "Once",
    "Pasha",
    "RunAll",
    "Scheduler",
    "Verdict",
]


def _grace(settings: SweepSettings, max_epochs: int) -> int:
    return min(settings.grace_period, max_epochs)
