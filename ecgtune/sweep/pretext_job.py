"""The pretext stage as a sweep's job."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ecgtune.config import TRANSFORMS, PretextConfig, Scalar, configure
from ecgtune.convolution_path import ConvolutionPath
from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import Split, pretext_split
from ecgtune.data.store import load_dataset
from ecgtune.pretext.transformation_recognition import make_views
from ecgtune.training.collapse import pretext_symptom
from ecgtune.training.memory import keep_freed_memory
from ecgtune.training.pretrain import pretrain
from ecgtune.training.result import EpochResult
from ecgtune.training.save import save_pretext

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class PretextJob:
    """The pretext stage.

    Args:
        data: data-set folders.
        held_out: persons that the stage never sees.
        val_fraction: of the other persons.
        max_epochs: per trial.
        seed: of the split, the initial weights and the training.
        convolution: how the encoder computes its convolutions.
    """

    data: tuple[str, ...]
    held_out: tuple[str, ...]
    val_fraction: float
    max_epochs: int
    seed: int
    convolution: ConvolutionPath = "direct"

    @property
    def classes(self) -> tuple[str, ...]:
        """The transformations."""
        return TRANSFORMS

    @property
    def folders(self) -> tuple[str, ...]:
        """The data-set folders."""
        return self.data

    def epochs(
        self, parameters: Mapping[str, Scalar], device: str, resume: dict[str, Any] | None, *, halved: bool = False
    ) -> Iterator[EpochResult]:
        """See `Job`."""
        keep_freed_memory()
        pool, split = open_pretext(self)
        config = configure(PretextConfig, parameters, where="trial")
        return pretrain(
            config,
            pool,
            split,
            epochs=self.max_epochs,
            seed=self.seed,
            device=device,
            path=self.convolution,
            halved=halved,
            resume=resume,
        )

    def symptom(self, result: EpochResult) -> str:
        """See `Job`."""
        return pretext_symptom(result, self.classes)

    def save(self, folder: Path, parameters: Mapping[str, Scalar], result: EpochResult, origin: dict[str, Any]) -> None:
        """See `Job`."""
        pool, split = open_pretext(self)
        config = configure(PretextConfig, parameters, where="trial")
        save_pretext(folder, config, pool, split, result, seed=self.seed, sweep=origin)

    def figures(self) -> "Mapping[str, Callable[[], Figure]]":
        """The views of one training window under the default parameters."""
        return {"views/one training window": self._views}

    def _views(self) -> "Figure":
        from ecgtune.report.plots import views_figure  # matplotlib, which no worker needs

        pool, split = open_pretext(self)
        window = torch.from_numpy(pool.take(split.train[:1]))
        views = make_views(window, torch.Generator().manual_seed(self.seed), PretextConfig().transforms)[:, 0]
        return views_figure(views.numpy(), TRANSFORMS, pool.datasets[0].sfreq)


@cache
def open_pretext(job: PretextJob) -> tuple[WindowPool, Split]:
    """The windows and the split of a pretext job."""
    pool = WindowPool([load_dataset(Path(folder)) for folder in job.data])
    split = pretext_split(pool.persons, val_fraction=job.val_fraction, held_out=job.held_out, seed=job.seed)
    return pool, split
