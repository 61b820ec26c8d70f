"""An emotion sweep keeps its encoder when the pretext sweep that it stands on is extended and another trial wins."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ecgtune.errors import InputError
from ecgtune.evaluation.sweep_evaluation import evaluate_sweeps
from ecgtune.space import SearchSpace, SweepSettings
from ecgtune.sweep.cleaning import clean, find
from ecgtune.sweep.emotion_job import open_emotion
from ecgtune.sweep.folder import SweepFolder, find_pretext_model
from ecgtune.sweep.plan import Resources, definition
from ecgtune.sweep.planning import plan_again, plan_emotion
from ecgtune.sweep.promote import promote
from ecgtune.sweep.references import References
from ecgtune.sweep.resuming import require_same
from ecgtune.sweep.retention import Retention, remove_weights
from ecgtune.sweep.unchanged import Given, require_unchanged
from ecgtune.training.checkpoint import load_card
from tests.evaluation.conftest import Workshop, write_dataset, write_encoder

BEST, TRIAL = "../first/best", "../first/trials/00001/best"
TABLE = "trial_id,state,val_loss\n00001,COMPLETE,0.5\n00002,COMPLETE,0.4\n"


def train(first: SweepFolder, trial_id: str) -> None:
    """A trial leaves its model; each has an encoder of its own."""
    origin = {"name": first.name, "trial": trial_id}
    write_encoder(first.trial(trial_id) / "best", seed=int(trial_id), epoch=1, sweep=origin)


@pytest.fixture
def workshop(tmp_path, monkeypatch) -> Workshop:
    torch.set_num_threads(1)
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "cache"))
    open_emotion.cache_clear()
    write_dataset(tmp_path / "project" / "hearts")
    return Workshop(tmp_path / "project")


@pytest.fixture
def first(workshop) -> SweepFolder:
    """A pretext sweep that trial 00001 has won."""
    folder = SweepFolder(workshop.model.parent)
    train(folder, "00001")
    folder.write({"created": "2026", "sweep": {"stage": "pretext", "metric": "val_loss", "mode": "min"}})
    promote(folder, "00001", 1)
    return folder


def extend(first: SweepFolder) -> None:
    """Trial 00002 wins, and one trial keeps its weights."""
    retention = Retention(first, keep=1, mode="min")
    retention.resting({"00001": 0.5}, "00001")
    train(first, "00002")
    promote(first, "00002", 1)
    retention.resting({"00002": 0.4}, "00002")
    first.trials_table.write_text(TABLE)
    open_emotion.cache_clear()


def as_written_before(folder: SweepFolder) -> None:
    """Earlier versions recorded `best/` itself."""
    content = folder.read()
    content["job"]["model"] = content["pretext"]["model"] = BEST
    content["pretext"].pop("asked_for", None)
    folder.write(content)


def models(content) -> tuple[str | None, ...]:
    return content["job"]["model"], content["pretext"]["model"], content["pretext"].get("asked_for")


def evaluated(folder, tmp_path):
    found = evaluate_sweeps([folder], cache=tmp_path / "features", random_encoders=1)
    return [str(row) for row in found.rows], found.sweeps[folder.name].encoder


def test_it_stands_on_the_trial_that_best_was_copied_from(workshop, first):
    assert models(workshop.sweep("emotion", trials=({},)).read()) == (TRIAL, TRIAL, BEST)


def other_encoder(first):
    write_encoder(first.trial("00001") / "best", seed=9)


def damaged(first):
    (first.trial("00001") / "best" / "encoder.safetensors").write_bytes(b"x")


def no_trials(first):
    shutil.rmtree(first.path / "trials")


def no_sweep(first):
    first.definition.unlink()


def of_no_trial(first):
    write_encoder(first.best, seed=1, sweep={})


@pytest.mark.parametrize(
    "change",
    [other_encoder, lambda first: remove_weights(first, "00001", 1), damaged, no_trials, no_sweep, of_no_trial],
    ids=["another encoder", "weights removed", "damaged", "no trials", "no sweep", "of no trial"],
)
def test_else_it_stands_on_best(workshop, first, change):
    change(first)
    assert models(workshop.sweep("emotion", trials=({},)).read()) == (BEST, BEST, None)


def test_a_model_that_is_named_itself_is_taken_as_it_is(workshop, first, tmp_path):
    elsewhere = shutil.copytree(first.best, tmp_path / "project" / "elsewhere" / "best")
    settings = SweepSettings(stage="emotion", metric="val_auc", mode="max", folds=2)
    space = SearchSpace(Path("space.toml"), "", settings, (), {})
    options = {"target": None, "threshold": None, "transductive": False, "fewer_folds": False}
    copy = shutil.copytree(first.best, first.path / "copy")
    for model in (first.trial("00001") / "best", elsewhere, copy):
        plan = plan_emotion(first, space, workshop.data, model, Resources(), **options)
        assert plan.job.model == str(model)
        assert "asked_for" not in plan.lineage


@pytest.mark.parametrize("written", ["now", "before"])
def test_it_goes_on_and_is_evaluated_after_another_trial_has_won(workshop, first, tmp_path, written):
    folder = workshop.sweep("emotion")
    before, encoder = evaluated(folder, tmp_path)
    if written == "before":
        as_written_before(folder)
    extend(first)
    clean(find(first, References(first.path.parent), 1), References(first.path.parent))
    assert load_card(first.best)["sweep"]["trial"] == "00002"

    require_unchanged(folder, Given(model=find_pretext_model(first.path.parent, "first")))
    again = plan_again(folder, Resources(), 99)
    assert again.job.model == str(first.trial("00001") / "best")
    require_same(folder, again)
    assert models(definition(again)) == (TRIAL, TRIAL, BEST)
    assert evaluated(folder, tmp_path) == (before, encoder)

    # What a resumed sweep writes is enough to go on with it once more, and a third trial may win.
    folder.write(definition(again))
    train(first, "00003")
    promote(first, "00003", 1)
    require_unchanged(folder, Given(model=first.best))
    assert plan_again(folder, Resources(), 99).lineage == again.lineage


@pytest.mark.parametrize("written", ["now", "before"])
def test_an_encoder_that_is_nowhere_any_more_is_told(workshop, first, tmp_path, written):
    folder = workshop.sweep("emotion", trials=({},))
    if written == "before":
        as_written_before(folder)
    extend(first)
    other_encoder(first)
    require_unchanged(folder, Given(model=first.best))
    for use in (lambda: plan_again(folder, Resources(), None), lambda: evaluated(folder, tmp_path)):
        with pytest.raises(InputError, match=r"emotion: the pretext model in .* has been replaced since"):
            use()


def test_a_trial_that_goes_on_may_leave_its_encoder_in_best_alone(workshop, first):
    """It was interrupted when the emotion sweep was planned; then it finds a better epoch."""
    folder = workshop.sweep("emotion", trials=({},))
    other_encoder(first)
    assert plan_again(folder, Resources(), None).job.model == str(first.best)


def test_only_the_pretext_sweep_whose_best_it_was_may_be_named_again(workshop, first):
    folder = workshop.sweep("emotion", trials=({},))
    extend(first)
    on_trial = SweepFolder(folder.path.parent / "on-trial")
    shutil.copytree(folder.path, on_trial.path)
    content = on_trial.read()
    # Begun with --pretext results/first/trials/00001/best: `first` was not the command of before.
    content["pretext"].pop("asked_for")
    on_trial.write(content)
    then, now = (load_card(model)["files"]["encoder.safetensors"]["sha256"] for model in
                 (first.trial("00001") / "best", first.best))  # fmt: skip
    require_unchanged(on_trial, Given(model=first.trial("00001") / "best"))
    with pytest.raises(InputError, match=re.escape(f"pretext: encoder_sha256: {then} then, {now} now")):
        require_unchanged(on_trial, Given(model=first.best))
    # Of another sweep, it is the encoder that counts.
    copy = shutil.copytree(first.trial("00001") / "best", first.path.parent / "copy")
    require_unchanged(folder, Given(model=copy))
    with pytest.raises(InputError, match="encoder_sha256"):
        require_unchanged(folder, Given(model=first.trial("00002") / "best"))
    with pytest.raises(InputError, match="encoder_sha256: None then"):
        require_unchanged(first, Given(model=first.best))


def test_another_encoder_is_another_sweep(workshop, first):
    folder = workshop.sweep("emotion", trials=({},))
    again = plan_again(folder, Resources(), None)
    require_same(folder, again)
    other = replace(again, lineage={**again.lineage, "encoder_sha256": "0" * 64})
    with pytest.raises(InputError, match="job: model"):
        require_same(folder, other)
