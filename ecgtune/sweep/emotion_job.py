"""The emotion stage as a sweep's job."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgtune.config import EmotionConfig, Scalar, configure
from ecgtune.convolution_path import ConvolutionPath
from ecgtune.data.store import load_dataset
from ecgtune.training.collapse import emotion_symptom
from ecgtune.training.emotion_data import EmotionData, emotion_data
from ecgtune.training.finetune import finetune
from ecgtune.training.result import EpochResult
from ecgtune.training.save import save_emotion

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class EmotionJob:
    """The emotion stage on one pretext model.

    Args:
        data: the data-set folder.
        model: the pretext model's folder.
        target: a target of the data set.
        threshold: a score above it is the positive class.
        folds: by person.
        transductive: whether persons that the encoder has seen may be validated on.
        max_epochs: per trial.
        seed: of the folds, the initial weights and the training.
        convolution: how an encoder that is trained computes its convolutions.
    """

    data: str
    model: str
    target: str
    threshold: float
    folds: int
    transductive: bool
    max_epochs: int
    seed: int
    convolution: ConvolutionPath = "direct"

    @property
    def classes(self) -> tuple[str, ...]:
        """The two sides of the threshold."""
        return f"{self.target} ≤ {self.threshold:g}", f"{self.target} > {self.threshold:g}"

    @property
    def folders(self) -> tuple[str, ...]:
        """The data-set folder."""
        return (self.data,)

    def epochs(
        self, parameters: Mapping[str, Scalar], device: str, resume: dict[str, Any] | None, *, halved: bool = False
    ) -> Iterator[EpochResult]:
        """See `Job`."""
        config = configure(EmotionConfig, parameters, where="trial")
        return finetune(
            config,
            open_emotion(self),
            epochs=self.max_epochs,
            seed=self.seed,
            device=device,
            halved=halved,
            resume=resume,
        )

    def symptom(self, result: EpochResult) -> str:
        """See `Job`."""
        return emotion_symptom(result, self.classes)

    def save(self, folder: Path, parameters: Mapping[str, Scalar], result: EpochResult, origin: dict[str, Any]) -> None:
        """See `Job`; the out-of-fold predictions lie beside the model."""
        data = open_emotion(self)
        config = configure(EmotionConfig, parameters, where="trial")
        save_emotion(folder, config, data, result, seed=self.seed, sweep=origin)

    def figures(self) -> "Mapping[str, Callable[[], Figure]]":
        """None."""
        return {}


@cache
def open_emotion(job: EmotionJob) -> EmotionData:
    """The embeddings, classes and folds of an emotion job."""
    return emotion_data(
        load_dataset(Path(job.data)),
        Path(job.model),
        target=job.target,
        threshold=job.threshold,
        n_folds=job.folds,
        seed=job.seed,
        transductive=job.transductive,
        cache=None,
        path=job.convolution,
    )
