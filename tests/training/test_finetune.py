"""Stage 2 repeats, resumes, refuses leaks, and learns."""

import copy
import math
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from ecgtune.config import EmotionConfig, PretextConfig, configure
from ecgtune.data.splits import Split
from ecgtune.errors import ConfigError, InputError, LeakError
from ecgtune.models import select
from ecgtune.models.fused import FUSED
from ecgtune.training.finetune import finetune
from ecgtune.training.state import load_state, save_state
from ecgtune.training.unfrozen import UnfrozenFolds


def config(**given):
    names = {"emotion/batch_size": 16} | {f"emotion/{k.replace('__', '/')}": v for k, v in given.items()}
    return configure(EmotionConfig, names, where="test")


def numbers(results):
    return [(r.epoch, r.lr, str(dict(r.metrics))) for r in results]


@pytest.mark.parametrize(
    "given",
    [
        {"head__dropout": 0.4, "features": "standardised"},
        {"optimizer": "sgd", "loss": "softmax", "scheduler__type": "cosine_w_restarts", "scheduler__warmup": 1},
        {"unfreeze": True, "head__dropout": 0.4, "features": "person"},
    ],
)
def test_a_resumed_run_goes_on_bit_for_bit(given, emotion, make_dataset, tmp_path):
    data = emotion(folds=2, dataset=make_dataset(subjects=4, per_class=2))
    whole = list(finetune(config(**given), data, epochs=3, seed=1))
    first = finetune(config(**given), data, epochs=3, seed=1)
    save_state(tmp_path / "state", next(first).snapshot().resume)
    torch.manual_seed(99)
    rest = list(finetune(config(**given), data, epochs=3, seed=1, resume=load_state(tmp_path / "state")))
    assert numbers(rest) == numbers(whole[1:])
    one, two = whole[-1].snapshot(), rest[-1].snapshot()
    np.testing.assert_array_equal(one.predictions, two.predictions)
    for side in ("encoder", "heads"):
        left, right = getattr(one, side), getattr(two, side)
        assert all(torch.equal(left[name], right[name]) for name in left)
    assert numbers(finetune(config(**given), data, epochs=3, seed=2)) != numbers(whole)


def test_metrics_are_means_over_the_folds(emotion):
    data = emotion(folds=3)
    *_, last = finetune(config(), data, epochs=2, seed=0)
    said = last.snapshot().predictions
    folds = [(data.classes[f.val], said[f.val]) for f in data.folds]
    balanced = [sk.balanced_accuracy_score(truth, p > 0.5) for truth, p in folds]
    expected = {
        "val_accuracy": np.mean([sk.accuracy_score(truth, p > 0.5) for truth, p in folds]),
        "val_balanced_accuracy": np.mean(balanced),
        "val_balanced_accuracy_sd": np.std(balanced, ddof=1),
        "val_macro_f1": np.mean([sk.f1_score(truth, p > 0.5, average="macro") for truth, p in folds]),
        "val_auc": np.mean([sk.roc_auc_score(truth, p) for truth, p in folds]),
        # The classes are balanced here, so that every window weighs 1.
        "val_loss": np.mean([sk.log_loss(truth, p) for truth, p in folds]),
    }
    for name, value in expected.items():
        assert last.metrics[name] == pytest.approx(value, rel=1e-4), name
    assert set(last.metrics) == {*expected, "train_loss", "train_accuracy", "train_balanced_accuracy"}
    np.testing.assert_array_equal(last.confusion, sk.confusion_matrix(data.classes, said > 0.5))


def test_it_learns_what_is_planted_and_nothing_else(emotion):
    data = emotion(folds=3)
    *_, last = finetune(config(features="standardised", pooling="mean", adam__lr=3e-3), data, epochs=30, seed=0)
    assert last.metrics["val_balanced_accuracy"] > 0.85
    assert last.metrics["train_loss"] < 0.3
    rng = np.random.default_rng(0)
    shuffled = data.classes.copy()
    for person in set(data.persons):
        mine = data.persons == person
        shuffled[mine] = rng.permutation(shuffled[mine])
    *_, last = finetune(config(), replace(data, classes=shuffled), epochs=10, seed=0)
    assert last.metrics["val_balanced_accuracy"] < 0.75


def test_a_person_on_both_sides_of_a_fold_is_refused(emotion):
    data = emotion(folds=3)
    fold = data.folds[0]
    leaking = Split(np.append(fold.train, fold.val[0]), fold.val)
    with pytest.raises(LeakError, match="toy:p"):
        finetune(config(), replace(data, folds=(leaking, *data.folds[1:])), epochs=1, seed=0)


def test_a_person_the_encoder_has_seen_is_refused_unless_marked(emotion):
    data = replace(emotion(folds=3), seen=frozenset({"toy:p1"}))
    with pytest.raises(LeakError, match="toy:p1"):
        finetune(config(), data, epochs=1, seed=0)
    finetune(config(), replace(data, transductive=True), epochs=1, seed=0)


def test_a_state_of_other_data_is_refused(emotion):
    data = emotion(folds=3)
    state = next(finetune(config(), data, epochs=2, seed=0)).snapshot().resume
    other = replace(data, classes=1 - data.classes)
    with pytest.raises(InputError, match="other data"):
        finetune(config(), other, epochs=2, seed=0, resume=state)


def test_a_loss_that_is_no_number_is_reported(emotion):
    data = emotion(folds=2)
    wild = config(optimizer="sgd", sgd__lr=10.0, sgd__momentum=0.99, loss="softmax")
    *_, last = finetune(wild, replace(data, summaries=data.summaries * 1e18), epochs=3, seed=0)
    assert math.isnan(last.metrics["val_loss"])
    assert math.isnan(last.metrics["val_balanced_accuracy"])
    assert not any(math.isinf(value) for value in last.metrics.values())


def test_unfrozen_starts_as_frozen_and_trains_the_encoder(emotion, make_dataset, monkeypatch):
    data = emotion(folds=2, dataset=make_dataset(subjects=4, per_class=2))
    for features in ("raw", "person", "standardised"):
        still = {"features": features, "pooling": "max+mean+std"}
        frozen = list(finetune(config(**still), data, epochs=2, seed=0))
        # With a factor of 0 the encoder keeps its weights, so both ways must agree.
        unfrozen = list(finetune(config(unfreeze=True, encoder_lr_factor=0.0, **still), data, epochs=2, seed=0))
        for one, two in zip(frozen, unfrozen, strict=True):
            assert dict(one.metrics) == pytest.approx(dict(two.metrics), rel=1e-3)
    start = data.encoder.state_dict()
    trained = next(finetune(config(unfreeze=True), data, epochs=1, seed=0)).snapshot().encoder
    folds = [{name: trained[f"fold{k}.{name}"] for name in start} for k in range(2)]
    for name in (n for n in start if n.endswith("weight")):
        assert not torch.equal(folds[0][name], start[name])
        assert not torch.equal(folds[0][name], folds[1][name])
    monkeypatch.setattr("ecgtune.training.unfrozen.MICRO_BATCH", {"cpu": 3, "norm": 3})
    small = next(finetune(config(unfreeze=True), data, epochs=1, seed=0)).snapshot().encoder
    for name, value in trained.items():
        torch.testing.assert_close(small[name], value, rtol=1e-3, atol=1e-4)
    assert all(torch.equal(value, start[name]) for name, value in data.encoder.state_dict().items())


def test_the_micro_batch_is_told_where_an_encoder_is_trained(emotion, make_dataset):
    data = emotion(folds=2, dataset=make_dataset(subjects=4, per_class=2))
    assert next(finetune(config(unfreeze=True), data, epochs=1, seed=0)).micro_batch == 32
    assert next(finetune(config(), data, epochs=1, seed=0)).micro_batch is None


def test_a_schedule_without_room_is_refused_before_anything_is_trained(emotion):
    schedule = {"scheduler__type": "cosine_w_restarts", "scheduler__warmup": 3, "scheduler__span": "reported"}
    with pytest.raises(ConfigError, match="emotion/scheduler"):
        finetune(config(**schedule), emotion(folds=2), epochs=3, seed=0)


def test_the_encoders_rate_is_a_share_of_the_heads(emotion, make_dataset):
    data = emotion(folds=2, dataset=make_dataset(subjects=4, per_class=2))
    models = UnfrozenFolds(config(unfreeze=True, encoder_lr_factor=0.25), data, 0, "cpu", None)
    models.train(0, 0.02)
    rates = [model.optimizer.rates for model in models._folds]
    assert rates == [[0.005, 0.02]] * 2


def test_progress_counts_steps(emotion):
    seen = []
    data = emotion(folds=2)
    list(islice(finetune(config(), data, epochs=1, seed=0, progress=lambda *p: seen.append(p)), 1))
    assert seen == [(step, len(seen)) for step in range(1, len(seen) + 1)]


@pytest.mark.parametrize("features", ["raw", "standardised", "person"])
def test_the_saved_scaling_and_head_give_the_predictions_again(features, emotion):
    data = emotion(folds=3)
    snapshot = next(finetune(config(features=features, pooling="mean"), data, epochs=1, seed=0)).snapshot()
    x = select(torch.from_numpy(data.summaries), "mean")
    if features == "person":
        for person in set(data.persons):
            mine = data.persons == person
            x[mine] = (x[mine] - x[mine].mean(0)) / x[mine].std(0, correction=0).clamp(min=1e-6)
    for number, fold in enumerate(data.folds):
        part = {name.partition(".")[2]: v for name, v in snapshot.heads.items() if name.startswith(f"fold{number}.")}
        hidden = (x[fold.val] - part["center"]) / part["scale"]
        for layer in ("layers.0", "layers.3", "layers.6"):
            hidden = hidden @ part[f"{layer}.weight"].T + part[f"{layer}.bias"]
            hidden = hidden.relu() if layer != "layers.6" else hidden.sigmoid()
        np.testing.assert_allclose(hidden[:, 0], snapshot.predictions[fold.val], atol=1e-4)


def test_unfrozen_predictions_are_those_of_the_saved_weights_without_dropout(emotion, make_dataset, pretext_model):
    small = make_dataset("other", subjects=2, per_class=1)
    model = pretext_model(configure(PretextConfig, {"pretext/encoder/batch_norm": True}, where="test"), on=small)
    data = emotion(folds=2, dataset=make_dataset(subjects=4, per_class=2), model=model)
    settings = config(unfreeze=True, head__dropout=0.8, head__layers=1)
    snapshot = next(finetune(settings, data, epochs=1, seed=0)).snapshot()
    for number, fold in enumerate(data.folds):
        prefix = f"fold{number}."
        encoder = copy.deepcopy(data.encoder).eval()
        encoder.load_state_dict(
            {n.removeprefix(prefix): v for n, v in snapshot.encoder.items() if n.startswith(prefix)}
        )
        head = {n.removeprefix(prefix): v for n, v in snapshot.heads.items() if n.startswith(prefix)}
        with torch.no_grad():
            x = encoder(torch.from_numpy(data.dataset.windows[data.rows[fold.val]]))
        hidden = (x @ head["layers.0.weight"].T + head["layers.0.bias"]).relu()
        expected = (hidden @ head["layers.3.weight"].T + head["layers.3.bias"]).sigmoid()[:, 0]
        np.testing.assert_allclose(snapshot.predictions[fold.val], expected, atol=1e-4)


def test_half_the_micro_batch_is_for_encoders_that_are_trained(emotion, make_dataset):
    data = emotion(folds=2, dataset=make_dataset(subjects=4, per_class=2))
    assert next(finetune(config(unfreeze=True), data, epochs=1, seed=0, halved=True)).micro_batch == 16
    with pytest.raises(MemoryError, match="frozen"):
        finetune(config(), data, epochs=1, seed=0, halved=True)


@pytest.mark.parametrize("path", FUSED)
def test_fused_encoders_of_all_folds_learn_what_others_do(path, emotion, make_dataset, monkeypatch):
    monkeypatch.setattr("ecgtune.models.fused._BACKEND", "aot_eager")
    data = emotion(folds=2, dataset=make_dataset(subjects=4, per_class=2))
    found = {}
    for each in ("bf16", path):
        data.encoder.path = each
        results = list(finetune(config(unfreeze=True), data, epochs=2, seed=0))
        found[each] = [result.metrics["train_loss"] for result in results]
    assert found[path] == pytest.approx(found["bf16"], rel=0.02)
    assert found[path][0] != found[path][1]


def test_passes_of_common_sizes_are_fused(emotion, make_dataset, fused_sizes, monkeypatch):
    """Folds divide their windows into batches that differ by one, the larger ones first."""
    asked = []
    monkeypatch.setattr("ecgtune.training.unfrozen.common", lambda given: asked.extend(given) or frozenset([4]))
    data = emotion(folds=3, dataset=make_dataset(subjects=6, per_class=3))
    data.encoder.path = "inductor"
    list(finetune(config(unfreeze=True, batch_size=5), data, epochs=1, seed=0))
    assert {4} < {*asked}
    assert fused_sizes == [size for size in asked if size == 4]


def test_what_a_run_has_recorded_is_forgotten_at_its_end(emotion, make_dataset, monkeypatch):
    forgotten = []
    monkeypatch.setattr("ecgtune.training.finetune.forget", lambda *given: forgotten.append(given))
    data = emotion(folds=2, dataset=make_dataset(subjects=4, per_class=2))
    results = finetune(config(unfreeze=True), data, epochs=2, seed=0)
    next(results)
    assert forgotten == []
    results.close()
    assert forgotten == [(data.encoder.path, "cpu")]


@pytest.mark.parametrize(("unfreeze", "taken"), [(True, False), (False, True)])
def test_only_a_trained_encoder_binds_its_state_to_a_path(unfreeze, taken, emotion, make_dataset):
    data = emotion(folds=2, dataset=make_dataset(subjects=4, per_class=2))
    data.encoder.path = "direct"
    state = next(finetune(config(unfreeze=unfreeze), data, epochs=2, seed=0)).snapshot().resume
    data.encoder.path = "fourier"
    with nullcontext() if taken else pytest.raises(InputError, match="other parameters"):
        list(finetune(config(unfreeze=unfreeze), data, epochs=2, seed=0, resume=state))
