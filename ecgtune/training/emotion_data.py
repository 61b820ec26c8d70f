"""What the emotion stage trains on: features, classes, people and folds."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgtune.config import EncoderConfig
from ecgtune.convolution_path import ConvolutionPath
from ecgtune.data.splits import Split, require_disjoint, subject_folds
from ecgtune.data.store import Target, WindowDataset
from ecgtune.errors import DataError, InputError, LeakError
from ecgtune.models import Encoder
from ecgtune.training.checkpoint import load_encoder
from ecgtune.training.embed import summaries
from ecgtune.training.loop import Progress


@dataclass(frozen=True)
class EmotionData:
    """The labelled windows of one data set, as an encoder sees them.

    Args:
        summaries: [n, 3 * 128] float32, the encoder's maps summarised as max, mean, std.
        classes: [n] int64, 1 where the score is above the threshold.
        persons: [n] `data set:subject`.
        rows: [n] index into the data set.
        folds: indices into these arrays; every validated person is validated on in one fold.
        dataset: where the windows are.
        encoder: in evaluation mode, on the CPU.
        card: of the pretext model.
        target: what the classes come from.
        threshold: a score above it is class 1.
        seen: persons that the encoder was trained or selected on.
        transductive: whether some of them are validated on.
        notes: what was dropped or is odd, for people.
    """

    summaries: NDArray[np.float32]
    classes: NDArray[np.int64]
    persons: NDArray[np.str_]
    rows: NDArray[np.intp]
    folds: tuple[Split, ...]
    dataset: WindowDataset = field(repr=False)
    encoder: Encoder = field(repr=False)
    card: Mapping[str, Any] = field(repr=False)
    target: Target
    threshold: float
    seen: frozenset[str] = frozenset()
    transductive: bool = False
    notes: tuple[str, ...] = ()

    @property
    def pooling(self) -> str:
        """How the encoder was pooled in the pretext stage."""
        return self.encoder.pooling

    @cached_property
    def fold_of(self) -> NDArray[np.int64]:
        """[n] the fold that validates on each window, -1 for none."""
        fold_of = np.full(len(self.classes), -1, dtype=np.int64)
        for number, fold in enumerate(self.folds):
            fold_of[fold.val] = number
        return fold_of

    @cached_property
    def validated(self) -> tuple[str, ...]:
        """The persons that are validated on, sorted."""
        return tuple(sorted(set(self.persons[self.fold_of >= 0].tolist())))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over features, classes, people and folds."""
        digest = hashlib.sha256()
        for part in (self.summaries, self.classes, self.rows, *(side for f in self.folds for side in (f.train, f.val))):
            digest.update(np.ascontiguousarray(part).tobytes() + b"|")
        digest.update("|".join(self.persons.tolist()).encode())
        return digest.hexdigest()

    def require_no_leak(self) -> None:
        """Refuse folds with a person on both sides, or one that the encoder has seen, unless marked transductive.

        Raises:
            LeakError: with the persons concerned.
        """
        for fold in self.folds:
            require_disjoint(self.persons[fold.train], self.persons[fold.val])
        both = sorted(self.seen & set(self.validated))
        if both and not self.transductive:
            raise LeakError(
                f"{len(both)} people are validated on ({', '.join(both[:5])}...) whom the encoder has seen in its "
                "pretext stage; leave them out, or mark the run transductive."
            )


def emotion_data(
    dataset: WindowDataset,
    model_folder: Path,
    *,
    target: str | None,
    threshold: float | None,
    n_folds: int,
    seed: int,
    transductive: bool,
    cache: Path | None,
    path: ConvolutionPath = "direct",
    progress: Progress | None = None,
) -> EmotionData:
    """Classes, folds and the encoder's summaries for one data set.

    Windows with a quality flag or without a score (baselines have none) are left out, and counted in `notes`. People
    that the encoder has seen in its pretext stage stay in the training side of every fold, unless `transductive`.

    Args:
        dataset: with labels.
        model_folder: of a pretext model.
        target: a column of labels; None takes the first.
        threshold: a score above it is class 1; None takes the target's own.
        n_folds: 2 or more.
        seed: of the dealing of people to folds.
        transductive: validate on people that the encoder has seen, too; the result is marked.
        cache: where summaries are kept; None means `ecgtune.data.cache.cache_folder()`.
        path: how an encoder that is trained computes its convolutions.
        progress: called while summaries are computed.

    Raises:
        DataError: no such target, one class only, or too few people for the folds.
        InputError: the model cannot be read or does not fit the data.
    """
    chosen, scores = dataset.target(target)
    limit = chosen.threshold if threshold is None else threshold
    rows = np.flatnonzero(dataset.good & ~np.isnan(scores))
    classes = (scores[rows] > limit).astype(np.int64)
    _require_two_classes(dataset, chosen, limit, scores[rows], classes)
    persons = dataset.persons[rows]
    encoder, card = load_encoder(model_folder, path)
    _require_fit(dataset, encoder, card, model_folder)
    seen = seen_by(card)
    everyone = frozenset(persons.tolist())
    eligible = everyone if transductive else everyone - seen
    if len(eligible) < n_folds <= len(everyone):
        raise DataError(
            f"{n_folds} folds need at least {n_folds} people whom the encoder has not seen; of the {len(everyone)} "
            f"labelled people in {dataset.folder} its pretext stage used all but {len(eligible)}. Hold people out in "
            "the pretext stage with --hold-out, use fewer folds, or pass --transductive to validate on everybody "
            "and have the results marked so."
        )
    folds = subject_folds(persons, classes, n_folds=n_folds, seed=seed, validate_on=eligible)
    kept = summaries(encoder, EncoderConfig(**card["architecture"]["encoder"]), dataset, cache=cache, progress=progress)
    return EmotionData(
        summaries=np.ascontiguousarray(kept[rows]),
        classes=classes,
        persons=persons,
        rows=rows,
        folds=folds,
        dataset=dataset,
        encoder=encoder,
        card=card,
        target=chosen,
        threshold=limit,
        seen=seen,
        transductive=transductive and bool(everyone & seen),
        notes=_notes(dataset, scores, persons, classes, eligible),
    )


def seen_by(card: Mapping[str, Any]) -> frozenset[str]:
    """The persons that a pretext model was trained or selected on."""
    return frozenset(card["subjects"]["train"]) | frozenset(card["subjects"]["val"])


def _require_two_classes(
    dataset: WindowDataset,
    target: Target,
    threshold: float,
    scores: NDArray[np.float32],
    classes: NDArray[np.int64],
) -> None:
    if not len(scores):
        raise DataError(f"{dataset.folder} has no good window with a score of {target.name!r}.")
    positive = int(classes.sum())
    if positive in (0, len(classes)):
        raise DataError(
            f"{target.name} > {threshold:g} leaves one class only: {positive} windows above and "
            f"{len(classes) - positive} not. The scores go from {scores.min():g} to {scores.max():g}; "
            "choose a --threshold in between."
        )


def _require_fit(dataset: WindowDataset, encoder: Encoder, card: Mapping[str, Any], folder: Path) -> None:
    if card.get("stage") != "pretext":
        raise InputError(f"{folder} is not a pretext model; choose the best/ folder of a pretext run.")
    trained_at = card["preprocessing"].get("sfreq")
    if trained_at is not None and float(trained_at) != dataset.sfreq:
        raise InputError(
            f"the encoder in {folder} was trained at {trained_at:g} Hz and {dataset.folder} has {dataset.sfreq:g} Hz; "
            "prepare the data again at the encoder's rate."
        )
    if dataset.windows.shape[1] < encoder.min_times:
        raise InputError(
            f"the windows of {dataset.folder} have {dataset.windows.shape[1]} samples; "
            f"the encoder in {folder} needs at least {encoder.min_times}."
        )


def _notes(
    dataset: WindowDataset,
    scores: NDArray[np.float32],
    persons: NDArray[np.str_],
    classes: NDArray[np.int64],
    eligible: Collection[str],
) -> tuple[str, ...]:
    people = sorted(set(persons.tolist()))
    single = [person for person in people if len(set(classes[persons == person].tolist())) == 1]
    unused = sorted(set(people) - set(eligible))
    counts = (
        (int((~dataset.good).sum()), "windows with a quality flag were left out"),
        (int((dataset.good & np.isnan(scores)).sum()), "windows without a score were left out"),
        (len(single), f"people have one class only: {', '.join(single)}"),
        (len(unused), f"people are trained on only, since the encoder has seen them: {', '.join(unused)}"),
    )
    return tuple(f"{count} {text}" for count, text in counts if count)
