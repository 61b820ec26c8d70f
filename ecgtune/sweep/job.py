"""What a worker has to know to train any configuration of a sweep: small, and the same for all trials.

The data travel as paths. A worker opens them once, memory-mapped, and keeps them for the trials that follow.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ecgtune.config import Scalar
from ecgtune.training.result import EpochResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Job(Protocol):
    """One stage's work on one configuration."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of the confusion matrix."""
        ...

    @property
    def folders(self) -> tuple[str, ...]:
        """The data-set folders."""
        ...

    @property
    def max_epochs(self) -> int:
        """The most epochs a trial may run."""
        ...

    def epochs(
        self, parameters: Mapping[str, Scalar], device: str, resume: dict[str, Any] | None, *, halved: bool = False
    ) -> Iterator[EpochResult]:
        """Train; one result per epoch. `halved` makes do with half the micro-batch, and so with less memory."""
        ...

    def symptom(self, result: EpochResult) -> str:
        """What is wrong with an epoch's network, if it tells nothing apart; see `ecgtune.training.collapse`."""
        ...

    def save(self, folder: Path, parameters: Mapping[str, Scalar], result: EpochResult, origin: dict[str, Any]) -> None:
        """Write the epoch's model; `origin` names the sweep and the trial."""
        ...

    def figures(self) -> "Mapping[str, Callable[[], Figure]]":
        """What draws pictures to show before the first trial ends, under their TensorBoard tags."""
        ...
