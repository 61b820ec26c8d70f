"""The honest numbers of an emotion sweep: the winner, what selecting it is worth, and the baselines beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgtune.errors import InputError
from ecgtune.evaluation.candidates import baselines, is_default, on_random_encoder, stored
from ecgtune.evaluation.selection import SelectionEstimate, bias_corrected
from ecgtune.evaluation.statistics import Metric
from ecgtune.evaluation.sweep_definition import EmotionSweep, emotion_sweep, require_comparable
from ecgtune.evaluation.table import Candidate, Row, evaluate_predictions
from ecgtune.sweep.emotion_job import open_emotion
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.lineage import EncoderOrigin
from ecgtune.training.checkpoint import read_card
from ecgtune.training.emotion_data import EmotionData
from ecgtune.training.predictions import PREDICTIONS


@dataclass(frozen=True)
class Selection:
    """The choice of a sweep's best trial.

    Args:
        metric: by which the estimate selects: the sweep's own where predictions alone tell it.
        n_trials: that it chooses from.
        estimate: what the choice is worth.
        transductive: whether any of these trials used a person's unlabelled windows beyond the one to be classified.
        not_corrected: what else used the validated people, and leaves the estimate a little optimistic.
        encoder: where the sweep's encoder comes from.
    """

    metric: Metric
    n_trials: int
    estimate: SelectionEstimate
    transductive: bool
    not_corrected: tuple[str, ...]
    encoder: EncoderOrigin


@dataclass(frozen=True)
class SweepEvaluation:
    """What `ecgtune evaluate` shows.

    Args:
        target: e.g. `arousal > 3`.
        rows: the winner first, then the default configuration, other sweeps' winners and the baselines.
        sweeps: sweep -> the choice of its best trial, and its encoder.
        lead_metric: the first sweep's metric, in which its lead over the others is shown.
        n_folds: by person.
        notes: what was dropped or is odd.
    """

    target: str
    rows: tuple[Row, ...]
    sweeps: dict[str, Selection]
    lead_metric: Metric
    n_folds: int
    notes: tuple[str, ...]


def evaluate_sweeps(
    folders: Sequence[SweepFolder],
    *,
    cache: Path,
    random_encoders: int = 3,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _message: None,
) -> SweepEvaluation:
    """Evaluate emotion sweeps that share data, target and folds.

    Args:
        folders: the first is the reference.
        cache: for features that can be made again.
        random_encoders: how many encoders with random weights are tried with the winner's head.
        seed: of the resamples of people.
        tell: told what is being done.

    Raises:
        InputError: a folder is no emotion sweep with a model, the sweeps do not share data, target, threshold and
            folds, or the data or a pretext model have been replaced.
    """
    sweeps = [emotion_sweep(folder) for folder in folders]
    first = sweeps[0]
    for other in sweeps[1:]:
        require_comparable(first, other)
    data = open_emotion(first.job)
    if data.dataset.fingerprint != first.fingerprint:
        raise InputError(
            f"{first.folder.name}: the data set in {first.job.data} has been replaced since this sweep was begun. "
            "Put the old one back, or begin a new sweep with another --name."
        )
    candidates: list[Candidate] = []
    selections: dict[str, Selection] = {}
    for sweep in sweeps:
        candidates += _own_rows(sweep, data)
        tell(f"{sweep.folder.name}: correcting the choice among its trials")
        selections[sweep.folder.name] = _selection(sweep, data, seed)
    tell("heart rate")
    candidates += baselines(data, cache)
    settings, job = first.space.settings, first.job
    for number in range(1, random_encoders + 1):
        tell(f"random encoder {number} of {random_encoders}")
        candidates.append(
            on_random_encoder(
                first.folder.best,
                Path(job.model),
                data,
                epochs=job.max_epochs,
                metric=settings.metric,
                mode=settings.mode,
                seed=job.seed,
                number=number,
                cache=cache,
            )
        )
    rows = evaluate_predictions(data.persons, data.classes, candidates, seed=seed)
    target = f"{job.target} > {job.threshold:g}"
    return SweepEvaluation(target, rows, selections, first.metric, len(data.folds), data.notes)


def _own_rows(sweep: EmotionSweep, data: EmotionData) -> list[Candidate]:
    """The winner, and the default configuration where it was the first trial."""
    folder = sweep.folder
    rows = [_candidate(f"{folder.name}: winner", folder.best, data)]
    default = folder.trial("00000") / "best"
    if (default / PREDICTIONS).is_file() and is_default(default, sweep.space.fixed):
        rows.append(_candidate(f"{folder.name}: default configuration", default, data))
    return rows


def _candidate(name: str, model: Path, data: EmotionData) -> Candidate:
    return Candidate(name, stored(model, data), bool(read_card(model)["transductive"]))


def _selection(sweep: EmotionSweep, data: EmotionData, seed: int) -> Selection:
    models = sorted(path.parent for path in (sweep.folder.path / "trials").glob(f"*/best/{PREDICTIONS}"))
    if not models:
        raise InputError(f"{sweep.folder.path / 'trials'} holds no trial's predictions; run the sweep again.")
    trials = [_candidate(model.parent.name, model, data) for model in models]
    predictions = np.stack([trial.probabilities for trial in trials])
    scored = np.isfinite(predictions).all(axis=0)
    estimate = bias_corrected(
        data.persons[scored], data.classes[scored], predictions[:, scored], metric=sweep.metric, seed=seed
    )
    transductive = any(trial.transductive for trial in trials)
    return Selection(sweep.metric, len(trials), estimate, transductive, sweep.not_corrected, sweep.origin)
