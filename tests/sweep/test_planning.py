"""From what was asked for to a plan, on small data sets and an encoder that was not trained."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ecgtune.errors import ConfigError, InputError
from ecgtune.space import Float, SearchSpace, SweepSettings
from ecgtune.sweep.emotion_job import open_emotion
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.plan import Resources, definition
from ecgtune.sweep.planning import plan_again, plan_emotion, plan_pretext
from ecgtune.sweep.points import FirstPoint
from ecgtune.sweep.resuming import require_same
from tests.evaluation.conftest import write_encoder

OWN = {"pretext": {"metric": "val_loss", "mode": "min"}, "emotion": {"metric": "val_auc", "mode": "max"}}


def space(stage, **settings) -> SearchSpace:
    parameters = (Float(f"{stage}/adam/lr", 1e-4, 1e-1, log=True),)
    return SearchSpace(Path("space.toml"), "", SweepSettings(stage=stage, **(OWN[stage] | settings)), parameters, {})


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "cache"))
    open_emotion.cache_clear()


@pytest.fixture
def pretext(tmp_path, make_dataset):
    """Plan a pretext sweep and write its sweep.toml, as if it had begun."""

    def make(name="first", **settings):
        folder = SweepFolder(tmp_path / "results" / name)
        plan = plan_pretext(folder, space("pretext", **settings), [make_dataset().folder], Resources())
        folder.path.mkdir(parents=True)
        folder.write(definition(plan))
        return plan

    return make


def emotion(tmp_path, model, data=None, *, settings=None, **given):
    options = {"target": None, "threshold": None, "transductive": False, "fewer_folds": False} | given
    folder = SweepFolder(tmp_path / "results" / "emotion")
    return plan_emotion(folder, space("emotion", **(settings or {})), data, model, Resources(), **options)


def test_a_pretext_sweep_leaves_people_to_the_emotion_stage(pretext):
    plan = pretext(hold_out=0.5)
    assert len(plan.job.held_out) == 3
    assert plan.notes == (
        "toy: 3 of 6 people are held out, so that the emotion stage can validate on them.",
    )  # fmt: skip
    assert plan.lineage is None


def test_a_sweep_is_planned_again_from_its_file(pretext):
    plan = pretext(num_samples=4)
    again = plan_again(plan.folder, Resources(), 7)
    assert again.job == plan.job
    assert again.space.settings.num_samples == 7
    assert plan_again(plan.folder, Resources(), None).space.settings == plan.space.settings
    with pytest.raises(ConfigError, match="--num-samples 3 is below the 4 that the sweep has."):
        plan_again(plan.folder, Resources(), 3)


def test_how_many_models_are_kept_is_no_part_of_what_a_sweep_is(pretext):
    plan = pretext()
    assert plan_again(plan.folder, Resources(), None).resources.keep is None
    plan.folder.write(definition(replace(plan, resources=Resources(keep=7))))
    assert plan_again(plan.folder, Resources(), None).resources.keep == 7
    other = plan_again(plan.folder, Resources(keep=1), None)
    assert other.resources.keep == 1
    require_same(plan.folder, other)


def test_the_emotion_stage_takes_the_data_of_the_pretext_sweep(pretext, tmp_path, make_dataset):
    plan = pretext()
    model = write_encoder(plan.folder.best, preprocessing={"sfreq": 256.0})
    found = emotion(tmp_path, model)
    assert Path(found.job.data) == make_dataset().folder
    assert (found.job.target, found.job.threshold) == ("arousal", 0.5)
    assert found.lineage["model"] == "../first/best"
    assert (found.lineage["sweep_name"], found.lineage["sweep_trial"]) == ("first", "00001")
    assert "the encoder is that of trial 00001 of first." in found.notes
    alone = write_encoder(tmp_path / "alone", preprocessing={"sfreq": 256.0})
    with pytest.raises(InputError, match="which data\\?"):
        emotion(tmp_path, alone)


def test_an_encoder_without_a_sweep_is_named_by_its_folder(tmp_path, make_dataset):
    model = write_encoder(tmp_path / "model", preprocessing={"sfreq": 256.0})
    card = json.loads((model / "model.json").read_text())
    card.pop("sweep", None)
    (model / "model.json").write_text(json.dumps(card))
    plan = emotion(tmp_path, model, make_dataset().folder, settings={"folds": 3})
    assert f"the encoder is at {model}." in plan.notes
    plan = emotion(tmp_path, model, make_dataset().folder, random_weights=True, settings={"folds": 3})
    assert not any("the encoder is" in note for note in plan.notes)


@pytest.mark.parametrize(("folds", "transductive", "expected"), [(5, False, 4), (3, False, 3), (5, True, 5)])
def test_fewer_folds_only_where_there_are_too_few_people(tmp_path, make_dataset, folds, transductive, expected):
    model = write_encoder(tmp_path / "model", subjects=("toy:p0", "toy:p1"), preprocessing={"sfreq": 256.0})
    plan = emotion(tmp_path, model, make_dataset().folder, fewer_folds=True, transductive=transductive,
                   settings={"folds": folds})  # fmt: skip
    assert plan.job.folds == plan.space.settings.folds == expected
    assert any("folds instead of" in note for note in plan.notes) == (expected < folds)


def test_a_random_encoder_is_of_its_model_and_the_replaced_model_does_not_matter_to_it(tmp_path, make_dataset):
    model = write_encoder(tmp_path / "model", preprocessing={"sfreq": 256.0})
    plan = emotion(tmp_path, model, make_dataset().folder, random_weights=True, settings={"folds": 3})
    plan.folder.path.mkdir(parents=True)
    plan.folder.write(definition(plan))
    write_encoder(model, seed=1, preprocessing={"sfreq": 256.0})
    again = plan_again(plan.folder, Resources(), None)
    assert again.job == plan.job
    assert again.lineage == plan.lineage
    assert again.lineage["random_weights"] is True


def test_a_replaced_pretext_model_is_told(tmp_path, make_dataset):
    model = write_encoder(tmp_path / "model", preprocessing={"sfreq": 256.0})
    plan = emotion(tmp_path, model, make_dataset().folder, settings={"folds": 3})
    plan.folder.path.mkdir(parents=True)
    plan.folder.write(definition(plan))
    assert plan_again(plan.folder, Resources(), None).lineage == plan.lineage
    write_encoder(model, seed=1, preprocessing={"sfreq": 256.0})
    with pytest.raises(InputError, match="emotion: the pretext model in .* has been replaced"):
        plan_again(plan.folder, Resources(), None)


@pytest.mark.parametrize("path", ["direct", "fourier"])
def test_how_convolutions_are_computed_is_settled_once_and_stays(path, pretext, tmp_path, make_dataset, monkeypatch):
    """A sweep that is resumed, on another machine perhaps, goes on as it began."""
    monkeypatch.setenv("ECGTUNE_CONVOLUTION", path)
    plan = pretext()
    assert plan.job.convolution == path
    monkeypatch.setenv("ECGTUNE_CONVOLUTION", "bf16")
    assert plan_again(plan.folder, Resources(), None).job.convolution == path
    model = write_encoder(tmp_path / "model", preprocessing={"sfreq": 256.0})
    assert emotion(tmp_path, model, make_dataset().folder).job.convolution == "bf16"


def test_a_wanted_path_comes_before_the_environment(tmp_path, make_dataset, monkeypatch):
    monkeypatch.setenv("ECGTUNE_CONVOLUTION", "bf16")
    folder = SweepFolder(tmp_path / "results" / "first")
    plan = plan_pretext(folder, space("pretext"), [make_dataset().folder], Resources(convolution="direct"))
    assert plan.job.convolution == "direct"
    with pytest.raises(InputError, match="--convolution"):
        plan_pretext(folder, space("pretext"), [make_dataset().folder], Resources(convolution="fft"))


def test_a_resumed_sweep_keeps_its_winners_without_the_sweep_they_are_from(pretext):
    plan = pretext()
    winners = (FirstPoint("gone trial 00003", {"pretext/adam/lr": 0.01}),)
    plan.folder.write(definition(replace(plan, winners=winners)))
    assert plan_again(plan.folder, Resources(), None).winners == winners
