"""Data that no path leads to on all nodes: sent through Ray's object store, or downloaded by each node from a URI.

Either way once to each node, and shared there by all of its trials.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from ecgtune.config import Scalar
from ecgtune.data.remote_data import downloaded
from ecgtune.data.store import WindowDataset, load_dataset, mount
from ecgtune.errors import DataError
from ecgtune.remote import Remote
from ecgtune.sweep.job import Job
from ecgtune.sweep.mirror import SweepMirror
from ecgtune.sweep.remote_model import is_whole
from ecgtune.sweep.remote_results import mirror_folder, pulling
from ecgtune.training.result import EpochResult
from ecgtune.uri import uri_of


class Cargo(Protocol):
    """A data set on its way to a worker."""

    def unpack(self) -> WindowDataset:
        """The data set, whose folder is that of the driver and need not exist here."""
        ...


@dataclass(frozen=True)
class Shipped:
    """A data set in the object store.

    Args:
        windows: a reference to them.
        rest: a reference to the data set without them.
    """

    windows: Any
    rest: Any

    def unpack(self) -> WindowDataset:
        """See `Cargo`."""
        import ray

        return replace(cast(WindowDataset, ray.get(self.rest)), windows=ray.get(self.windows))


@dataclass(frozen=True)
class Fetched:
    """A data set at a URI.

    Args:
        folder: the driver's.
        uri: where each node downloads it from.
        fingerprint: that it had when the sweep was planned.
    """

    folder: str
    uri: str
    fingerprint: str

    def unpack(self) -> WindowDataset:
        """See `Cargo`.

        Raises:
            DataError: it has been replaced since.
        """
        dataset = load_dataset(downloaded(self.uri))
        if dataset.fingerprint != self.fingerprint:
            raise DataError(f"{self.uri} holds other data than when the sweep was begun. Put the old ones back.")
        return replace(dataset, folder=Path(self.folder))


@dataclass(frozen=True)
class FetchedModel:
    """A pretext model in a results folder that lies at a URI.

    Args:
        uri: of the results folder.
        sweep: the name of the model's sweep.
        below: the model's folder in that of the sweep.
    """

    uri: str
    sweep: str
    below: str

    def unpack(self) -> Path:
        """The model's folder here, once for all trials of a node.

        Raises:
            RemoteError: the store refused.
        """
        folder = mirror_folder(self.uri) / self.sweep
        with pulling(folder):
            if not is_whole(folder / self.below):
                SweepMirror(folder, Remote(self.uri)).fetch(self.below)
        return folder / self.below


@dataclass(frozen=True)
class ShippedJob:
    """A job whose data a worker gets in another way than by their paths.

    Args:
        inner: the job.
        cargo: data sets, and what a worker does to have them.
        model: what a worker does to have the pretext model; None where its path leads there.
    """

    inner: Job
    cargo: tuple[Cargo, ...]
    model: FetchedModel | None = None

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
        for each in self.cargo:
            mount(each.unpack())
        if self.model is not None:
            return cast(Job, replace(cast(Any, self.inner), model=str(self.model.unpack())))
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
        cargo.append(Shipped(ray.put(np.asarray(dataset.windows)), ray.put(rest)))
    return ShippedJob(job, tuple(cargo), _model(job))


def fetched(job: Job) -> Job:
    """A job whose data and model each node downloads, where they lie at URIs; the same job where they do not."""
    model = _model(job)
    cargo = []
    for folder in job.folders:
        uri = uri_of(Path(folder))
        if uri is not None:
            cargo.append(Fetched(folder, uri, load_dataset(Path(folder)).fingerprint))
    return ShippedJob(job, tuple(cargo), model) if cargo or model else job


def _model(job: Job) -> FetchedModel | None:
    """The model that a job stands on, where that lies at a URI."""
    model = getattr(job, "model", None)
    for results in Path(model).parents if model else ():
        uri = uri_of(results)
        if uri is not None:
            sweep, *below = Path(str(model)).relative_to(results).parts
            return FetchedModel(uri, sweep, "/".join(below))
    return None
