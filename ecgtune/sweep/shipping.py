"""Data that travel through Ray's object store: once to each node, and shared there by all of its trials."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ecgtune.config import Scalar
from ecgtune.data.store import WindowDataset, load_dataset, mount
from ecgtune.sweep.job import Job
from ecgtune.training.result import EpochResult


@dataclass(frozen=True)
class ShippedJob:
    """A job whose data a worker takes from the object store instead of the disk.

    Args:
        inner: the job.
        cargo: for each data set a reference to its windows and one to the rest.
    """

    inner: Job
    cargo: tuple[tuple[Any, Any], ...]

    def epochs(
        self, parameters: Mapping[str, Scalar], device: str, resume: dict[str, Any] | None, *, halved: bool = False
    ) -> Iterator[EpochResult]:
        """See `Job`."""
        return self._unpacked.epochs(parameters, device, resume, halved=halved)

    def symptom(self, result: EpochResult) -> str:
        """See `Job`."""
        return self.inner.symptom(result)

    def save(self, folder: Path, parameters: Mapping[str, Scalar], result: EpochResult, origin: dict[str, Any]) -> None:
        """See `Job`."""
        self._unpacked.save(folder, parameters, result, origin)

    @property
    def classes(self) -> tuple[str, ...]:
        """See `Job`."""
        return self.inner.classes

    @property
    def folders(self) -> tuple[str, ...]:
        """See `Job`."""
        return self.inner.folders

    @property
    def max_epochs(self) -> int:
        """See `Job`."""
        return self.inner.max_epochs

    def figures(self) -> Any:
        """See `Job`."""
        return self.inner.figures()

    @cached_property
    def _unpacked(self) -> Job:
        """The job, in a process that has its data: the windows lie in memory that all of the node's trials share."""
        import ray

        for windows, rest in self.cargo:
            dataset: WindowDataset = ray.get(rest)
            mount(replace(dataset, windows=ray.get(windows)))
        return self.inner


def shipped(job: Job) -> ShippedJob:
    """Put a job's data into the object store of the connected cluster.

    Raises:
        DataError: a data set cannot be read.
    """
    import ray

    cargo = []
    for folder in job.folders:
        dataset = load_dataset(Path(folder))
        rest = replace(dataset, windows=np.empty((0, 0), dtype=np.float32))
        cargo.append((ray.put(np.asarray(dataset.windows)), ray.put(rest)))
    return ShippedJob(job, tuple(cargo))
