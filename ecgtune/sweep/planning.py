"""From what the user asked for to a resolved sweep; nothing is written here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ecgtune.data.cache import cache_folder
from ecgtune.data.splits import choose_held_out
from ecgtune.data.store import load_dataset
from ecgtune.errors import ConfigError, InputError
from ecgtune.space import SearchSpace, override, space_from
from ecgtune.sweep.emotion_job import EmotionJob, open_emotion
from ecgtune.sweep.finite import require_searchable, shortage_of_points
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.paths import job_entries, portable
from ecgtune.sweep.plan import Resources, SweepPlan
from ecgtune.sweep.points import winners_from
from ecgtune.sweep.pretext_job import PretextJob, open_pretext
from ecgtune.sweep.standing import standing_model, with_its_encoder
from ecgtune.training.checkpoint import ENCODER, load_card
from ecgtune.training.emotion_data import seen_by
from ecgtune.training.path import choose_path
from ecgtune.training.random_encoder import random_encoder


def plan_pretext(folder: SweepFolder, space: SearchSpace, data: Sequence[Path], resources: Resources) -> SweepPlan:
    """Plan a pretext sweep; of every labelled data set, a share of the people is left to the emotion stage.

    Raises:
        DataError: a data set cannot be used, or too few people remain.
    """
    require_searchable(space)
    settings = space.settings
    held_out: list[str] = []
    notes = []
    for path in data:
        dataset = load_dataset(path)
        if dataset.targets:
            people = set(dataset.persons.tolist())
            chosen = choose_held_out(people, settings.hold_out, settings.seed)
            held_out += chosen
            notes.append(
                f"{dataset.name}: {len(chosen)} of {len(people)} people are held out, "
                "so that the emotion stage can validate on them."
            )
    job = PretextJob(
        data=tuple(str(path.resolve()) for path in data),
        held_out=tuple(sorted(set(held_out))),
        val_fraction=settings.val_fraction,
        max_epochs=settings.max_epochs,
        seed=settings.seed,
        convolution=choose_path(resources.convolution, resources.device),
    )
    open_pretext(job)
    return SweepPlan(folder, space, job, resources, (*notes, *shortage_of_points(space)))


def plan_emotion(
    folder: SweepFolder,
    space: SearchSpace,
    data: Path | None,
    model: Path,
    resources: Resources,
    *,
    target: str | None,
    threshold: float | None,
    transductive: bool,
    fewer_folds: bool,
    random_weights: bool = False,
) -> SweepPlan:
    """Plan an emotion sweep; the embeddings are computed here, once.

    Args:
        folder: where it will be written.
        space: what is searched, and how.
        data: the data-set folder; None means the one that the pretext sweep used.
        model: the pretext model's folder.
        resources: what it may use.
        target: a target of the data set; None means its first.
        threshold: a score above it is the positive class; None means the target's own.
        transductive: whether people that the encoder has seen may be validated on.
        fewer_folds: whether to make do with fewer folds where there are too few people to validate on.
        random_weights: whether to take an encoder of the model's architecture with random weights: the baseline.

    Raises:
        InputError: data, model, target and threshold do not fit together.
    """
    require_searchable(space)
    settings = space.settings
    chosen = data if data is not None else _data_of(model)
    dataset = load_dataset(chosen)
    found, scores = dataset.target(target)
    card = load_card(model)
    notes: list[str] = []
    asked = model
    if random_weights:
        model = random_encoder(model, settings.seed, cache_folder())
        notes.append("the encoder has random weights: this sweep is the baseline of one on the trained encoder.")
    else:
        model = standing_model(model)
    if fewer_folds:
        people = set(dataset.persons[dataset.good & ~np.isnan(scores)].tolist())
        eligible = people if transductive else people - seen_by(card)
        if 2 <= len(eligible) < settings.folds:
            notes.append(f"{len(eligible)} folds instead of {settings.folds}: there are no more people to validate on.")
            settings = replace(settings, folds=len(eligible))
    job = EmotionJob(
        data=str(chosen.resolve()),
        model=str(model.resolve()),
        target=found.name,
        threshold=found.threshold if threshold is None else threshold,
        folds=settings.folds,
        transductive=transductive,
        max_epochs=settings.max_epochs,
        seed=settings.seed,
        convolution=choose_path(resources.convolution, resources.device),
    )
    opened = open_emotion(job)
    lineage = {
        "model": portable(model, folder),
        "random_weights": random_weights,
        "encoder_sha256": load_card(model)["files"][ENCODER]["sha256"],
        **{f"sweep_{key}": value for key, value in card.get("sweep", {}).items()},
    }
    if not random_weights and model != asked.resolve():
        lineage["asked_for"] = portable(asked, folder)
    space = replace(space, settings=settings)
    if not random_weights:
        notes.insert(0, f"the encoder is {_called(model, lineage)}.")
    task = (
        f"{job.target} > {job.threshold:g}: {len(opened.folds)} folds by person, "
        f"{len(opened.validated)} people to validate on."
    )
    notes += [*opened.notes, *shortage_of_points(space)]
    return SweepPlan(folder, space, job, resources, (task, *notes), lineage)


def plan_again(folder: SweepFolder, resources: Resources, num_samples: int | None) -> SweepPlan:
    """The plan of a sweep that exists, from its `sweep.toml`, to be resumed or extended.

    Raises:
        InputError: there is no such sweep, or its data or model are gone or replaced.
        ConfigError: fewer trials than before.
    """
    content = folder.read()
    resources = replace(resources, keep=resources.keep or content.get("resources", {}).get("keep"))
    space = space_from({key: content[key] for key in ("question", "sweep", "parameters")}, folder.definition)
    before = space.settings.num_samples
    if num_samples is not None:
        if num_samples < before:
            raise ConfigError(folder.name, [f"--num-samples {num_samples} is below the {before} that the sweep has."])
        space = replace(space, settings=override(space.settings, num_samples=num_samples))
    notes, winners = shortage_of_points(space), winners_from(content.get("winners", []))
    if space.settings.stage == "pretext":
        pretext = PretextJob(**job_entries(content["job"], folder))
        open_pretext(pretext)
        return SweepPlan(folder, space, pretext, resources, notes, winners=winners)
    content = with_its_encoder(folder, content)
    emotion = EmotionJob(**job_entries(content["job"], folder))
    open_emotion(emotion)
    return SweepPlan(folder, space, emotion, resources, notes, content["pretext"], winners=winners)


def _called(model: Path, lineage: Mapping[str, Any]) -> str:
    """An encoder by its sweep and trial, or by its folder."""
    sweep, trial = lineage.get("sweep_name"), lineage.get("sweep_trial")
    return f"that of trial {trial} of {sweep}" if sweep and trial else f"at {model}"


def _data_of(model: Path) -> Path:
    sweep = SweepFolder(model.parent)
    if sweep.definition.is_file():
        for folder in job_entries(sweep.read()["job"], sweep)["data"]:
            if load_dataset(Path(folder)).targets:
                return Path(folder)
    raise InputError(
        "which data? The pretext sweep used none with labels, so name a data-set folder with --data "
        "(make one with `ecgtune data prepare`)."
    )
