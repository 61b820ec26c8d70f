"""The honest numbers of an emotion sweep: the winner, what selecting it is worth, and the baselines beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgtune.errors import InputError
from ecgtune.evaluation.candidates import baselines, is_default, on_random_encoder, stored
from ecgtune.evaluation.selection import SelectionEstimate, bias_corrected
from ecgtune.evaluation.statistics import METRICS, Metric
from ecgtune.evaluation.table import Candidate, Row, evaluate_predictions
from ecgtune.space import SearchSpace, space_from
from ecgtune.sweep.emotion_job import EmotionJob, open_emotion
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.paths import job_entries
from ecgtune.training.checkpoint import load_card
from ecgtune.training.predictions import PREDICTIONS


@dataclass(frozen=True)
class SweepEvaluation:
    """What `ecgtune evaluate` shows.

    Args:
        target: e.g. `arousal > 3`.
        rows: the winner first, then the default configuration, other sweeps' winners and the baselines.
        selection: sweep -> what selecting its best trial is worth.
        n_trials: sweep -> trials that the selection chose from.
        n_folds: by person.
        notes: what was dropped or is odd.
    """

    target: str
    rows: tuple[Row, ...]
    selection: dict[str, SelectionEstimate]
    n_trials: dict[str, int]
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
        InputError: a folder is no finished emotion sweep, or the sweeps do not share data and folds.
    """
    first = folders[0]
    space, job = _definition(first)
    data = open_emotion(job)
    candidates: list[Candidate] = []
    selection: dict[str, SelectionEstimate] = {}
    n_trials: dict[str, int] = {}
    for folder in folders:
        card = load_card(folder.best)
        candidates.append(Candidate(f"{folder.name}: winner", stored(folder.best, data), bool(card["transductive"])))
        default = folder.trial("00000") / "best"
        if (default / PREDICTIONS).is_file() and is_default(default, _definition(folder)[0].fixed):
            candidates.append(Candidate(f"{folder.name}: default configuration", stored(default, data)))
        models = sorted(path.parent for path in (folder.path / "trials").glob(f"*/best/{PREDICTIONS}"))
        predictions = np.stack([stored(model, data) for model in models])
        scored = np.isfinite(predictions).all(axis=0)
        tell(f"{folder.name}: correcting the choice among {len(models)} trials")
        selection[folder.name] = bias_corrected(
            data.persons[scored], data.classes[scored], predictions[:, scored], metric=_metric(space), seed=seed
        )
        n_trials[folder.name] = len(models)
    tell("heart rate")
    candidates += baselines(data, cache)
    settings = space.settings
    for number in range(1, random_encoders + 1):
        tell(f"random encoder {number} of {random_encoders}")
        candidates.append(
            on_random_encoder(
                first.best,
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
    return SweepEvaluation(f"{job.target} > {job.threshold:g}", rows, selection, n_trials, len(data.folds), data.notes)


def _definition(folder: SweepFolder) -> tuple[SearchSpace, EmotionJob]:
    content = folder.read()
    if content["sweep"]["stage"] != "emotion":
        raise InputError(f"{folder.name} is a {content['sweep']['stage']} sweep; evaluate takes emotion sweeps.")
    if not (folder.best / "model.json").is_file():
        raise InputError(f"{folder.name} has no best model yet; let the sweep finish a trial first.")
    space = space_from({key: content[key] for key in ("question", "sweep", "parameters")}, folder.definition)
    return space, EmotionJob(**job_entries(content["job"], folder))


def _metric(space: SearchSpace) -> Metric:
    """The sweep's own metric where it can be told from the predictions alone, else balanced accuracy."""
    names: dict[str, Metric] = {f"val_{metric}": metric for metric in METRICS}
    return names.get(space.settings.metric, "balanced_accuracy")
