"""Stage 1 repeats, resumes, refuses leaks, and learns."""

import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from ecgtune.convolution_path import PATHS
from ecgtune.data.splits import Split
from ecgtune.errors import ConfigError, DataError, InputError, LeakError
from ecgtune.models import build_encoder
from ecgtune.models.fused import FUSED
from ecgtune.pretext import PRETEXT_TASKS, StepOutput
from ecgtune.training import pretrain as module
from ecgtune.training.pretrain import pretrain
from ecgtune.training.seed import torch_generator
from ecgtune.training.state import load_state, save_state


def run(config, pool, split, epochs=3, stop=None, **more):
    return list(islice(pretrain(config, pool, split, epochs=epochs, **{"seed": 1, **more}), stop))


def numbers(results):
    return [(r.epoch, r.lr, dict(r.metrics)) for r in results]


def same(one, two):
    assert one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name


VARIANTS = [
    {"optimizer": "adam"},
    {"optimizer": "adamw", "encoder__batch_norm": True, "loss": "softmax"},
    {"optimizer": "sgd", "windows_per_epoch": 11, "scheduler__type": "cosine_w_restarts", "scheduler__warmup": 1},
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_resumed_run_goes_on_bit_for_bit(variant, small_pretext, pool, split, tmp_path):
    config = small_pretext(**variant)
    whole = run(config, pool, split)
    first = pretrain(config, pool, split, epochs=3, seed=1)
    save_state(tmp_path / "state", next(first).snapshot().resume)
    # Whatever happens in between, on whichever global random state, must not matter.
    torch.manual_seed(123)
    rest = run(config, pool, split, resume=load_state(tmp_path / "state"))
    assert numbers(rest) == numbers(whole[1:])
    same(rest[-1].snapshot().encoder, whole[-1].snapshot().encoder)
    same(rest[-1].snapshot().heads, whole[-1].snapshot().heads)
    assert numbers(run(config, pool, split)) == numbers(whole)


def test_another_seed_gives_other_numbers(small_pretext, pool, split):
    config = small_pretext()
    assert numbers(run(config, pool, split, 1)) != numbers(run(config, pool, split, 1, seed=2))


def test_the_snapshot_is_a_copy(small_pretext, pool, split):
    epochs = pretrain(small_pretext(), pool, split, epochs=2, seed=1)
    first = next(epochs).snapshot()
    before = {name: value.clone() for name, value in first.encoder.items()}
    moments = first.resume["optimizer"]["buffers"][0][0].clone()
    second = next(epochs).snapshot()
    same(first.encoder, before)
    assert torch.equal(first.resume["optimizer"]["buffers"][0][0], moments)
    assert not all(torch.equal(second.encoder[name], before[name]) for name in before)


def test_the_global_random_state_is_left_alone(small_pretext, pool, split):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    epochs = pretrain(small_pretext(), pool, split, epochs=2, seed=1)
    next(epochs)
    assert torch.equal(torch.rand(1), expected)


def test_a_person_on_both_sides_is_refused(small_pretext, pool, split):
    leak = np.append(split.train, split.val[0])
    with pytest.raises(LeakError, match="toy:p"):
        pretrain(small_pretext(), pool, Split(leak, split.val, split.held_out), epochs=1, seed=0)
    with pytest.raises(LeakError, match=str(pool.persons[split.train[0]])):
        pretrain(small_pretext(), pool, replace(split, held_out=(pool.persons[split.train[0]],)), epochs=1, seed=0)
    nothing = np.array([], dtype=np.intp)
    with pytest.raises(DataError, match="validation side"):
        pretrain(small_pretext(), pool, Split(split.train, nothing), epochs=1, seed=0)


def test_a_schedule_without_room_is_refused_before_anything_is_trained(small_pretext, pool, split):
    config = small_pretext(scheduler__type="cosine_w_restarts", scheduler__warmup=3, scheduler__span="reported")
    with pytest.raises(ConfigError, match="pretext/scheduler"):
        pretrain(config, pool, split, epochs=3, seed=0)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_micro_batch_is_the_one_that_is_told(batch_norm, small_pretext, pool, split, monkeypatch):
    sizes = []
    step = PRETEXT_TASKS["transformation_recognition"].step
    monkeypatch.setattr(
        PRETEXT_TASKS["transformation_recognition"],
        "step",
        lambda self, encoder, heads, views: sizes.append(views.shape[1]) or step(self, encoder, heads, views),
    )
    result = run(small_pretext(batch_size=7, encoder__batch_norm=batch_norm), pool, split, epochs=1)[0]
    assert result.micro_batch == max(sizes) == 4


@pytest.mark.parametrize("change", ["parameters", "seed", "data"])
def test_a_state_of_another_run_is_refused(change, small_pretext, pool, split, make_dataset):
    state = run(small_pretext(), pool, split, stop=1)[0].snapshot().resume
    config = small_pretext(adam__lr=0.1) if change == "parameters" else small_pretext()
    other = type(pool)([make_dataset(subjects=4, per_class=2, bad=1)]) if change == "data" else pool
    with pytest.raises(InputError, match="another run|other parameters"):
        pretrain(config, other, split, epochs=3, seed=2 if change == "seed" else 1, resume=state)


def test_validation_views_are_the_same_for_every_run(small_pretext, pool, split, monkeypatch):
    seen = []

    def spy(config):
        task = PRETEXT_TASKS["transformation_recognition"](config)
        views = task.views

        def views_and_look(windows, generator):
            made = views(windows, generator)
            if not torch.is_grad_enabled():
                seen.append(made.sum().item())
            return made

        task.views = views_and_look
        return task

    monkeypatch.setattr(module, "PRETEXT_TASKS", {"transformation_recognition": spy})
    runs = []
    for seed, config in [(1, small_pretext()), (2, small_pretext(batch_size=3, adam__lr=0.01))]:
        seen.clear()
        run(config, pool, split, epochs=2, seed=seed)
        half = len(seen) // 2
        assert seen[:half] == seen[half:]
        runs.append(list(seen))
    assert runs[0] == runs[1]


class LinearTask:
    """A task without anything random: three views of a window, and a linear head on the encoder."""

    classes = ("one", "half", "minus")

    def __init__(self, config):
        pass

    def build_heads(self, encoder, generator):
        return torch.nn.Linear(encoder.n_features, 3)

    def views(self, windows, generator):
        return torch.stack([windows, 0.5 * windows, -windows])

    def step(self, encoder, heads, views):
        classes = torch.arange(3).repeat_interleave(views.shape[1])
        features = encoder(views.flatten(0, 1))
        logits = heads(features)
        loss = torch.nn.functional.cross_entropy(logits, classes)
        return StepOutput(loss, logits, classes, 0.01 * heads.weight.square().sum(), features.detach())


@pytest.mark.parametrize("batch_size", [8, 10])
def test_micro_batches_give_the_gradient_of_the_whole_batch(batch_size, small_pretext, pool, split, monkeypatch):
    monkeypatch.setattr(module, "PRETEXT_TASKS", {"transformation_recognition": LinearTask})
    results = []
    # 11 windows: the last batch is incomplete, and so is the last micro-batch.
    some = Split(split.train[:11], split.val)
    for size in (3, 1000):
        monkeypatch.setattr(module, "MICRO_BATCH", {"direct": {"cpu": size}})
        torch.manual_seed(0)
        results.append(run(small_pretext(batch_size=batch_size, optimizer="sgd"), pool, some, epochs=2)[-1])
    small, large = results
    for name, value in small.snapshot().encoder.items():
        torch.testing.assert_close(value, large.snapshot().encoder[name], rtol=1e-4, atol=1e-6)
    assert dict(small.metrics) == pytest.approx(dict(large.metrics), rel=1e-4)


def test_paths_and_micro_batches_see_the_same_views(small_pretext, pool, split, monkeypatch):
    """So that they differ by rounding alone: the losses of the first epochs agree."""
    monkeypatch.setitem(module.MICRO_BATCH, "fourier", {"cpu": 3, "norm": 4})
    config = small_pretext(head__dropout=0.0, batch_size=8, optimizer="sgd")
    direct, fourier = (run(config, pool, split, epochs=2, path=path) for path in ("direct", "fourier"))
    for one, other in zip(direct, fourier, strict=True):
        assert one.metrics["train_loss"] == pytest.approx(other.metrics["train_loss"], rel=1e-4)
        assert one.metrics["val_loss"] == pytest.approx(other.metrics["val_loss"], rel=1e-4)
    for name, value in direct[-1].snapshot().encoder.items():
        torch.testing.assert_close(fourier[-1].snapshot().encoder[name], value, rtol=1e-3, atol=1e-5)


def test_every_step_uses_the_weights_of_the_step_before(small_pretext, pool, split):
    """Kernels are transformed once per step; with a large rate and small batches, stale ones would be far off."""
    config = small_pretext(head__dropout=0.0, batch_size=2, optimizer="sgd", sgd__lr=0.2)
    direct, *others = (run(config, pool, split, epochs=1, path=path)[0] for path in ("direct", "fourier", "tiled32"))
    for other in others:
        assert direct.metrics["train_loss"] == pytest.approx(other.metrics["train_loss"], rel=1e-4)
        assert direct.metrics["val_loss"] == pytest.approx(other.metrics["val_loss"], rel=1e-3)


@pytest.mark.parametrize("path", PATHS)
def test_every_path_trains(path, small_pretext, pool, split, monkeypatch):
    # What it would compile, without the half minute that compiling takes.
    monkeypatch.setattr("ecgtune.models.fused._BACKEND", "aot_eager")
    some = Split(split.train[:4], split.val[:2])
    first, last = run(small_pretext(batch_size=4, head__dropout=0.0), pool, some, epochs=2, path=path)
    assert last.metrics["train_loss"] != first.metrics["train_loss"]
    assert np.isfinite(list(last.metrics.values())).any()


@pytest.mark.parametrize("path", FUSED)
def test_fused_training_is_that_of_bf16_but_for_rounding(path, small_pretext, pool, split, monkeypatch):
    """Two and a half micro-batches to a step, so that gradients of fused and of other passes add up."""
    monkeypatch.setattr("ecgtune.models.fused._BACKEND", "aot_eager")
    config = small_pretext(batch_size=10, head__dropout=0.0, encoder__batch_norm=False)
    some = Split(split.train[:10], split.val[:2])
    plain, ours = (run(config, pool, some, epochs=2, path=each) for each in ("bf16", path))
    for one, other in zip(plain, ours, strict=True):
        for name in ("train_loss", "val_loss"):
            assert one.metrics[name] == pytest.approx(other.metrics[name], rel=0.02)
    begun = build_encoder(config.encoder, torch_generator(1, "weights")).state_dict()
    states = begun, plain[-1].snapshot().encoder, ours[-1].snapshot().encoder
    first, theirs, fused = (torch.cat([each.flatten() for each in state.values()]) for state in states)
    assert (fused - theirs).norm() < 0.2 * (theirs - first).norm()
    state = next(pretrain(config, pool, some, epochs=2, seed=1, path=path)).snapshot().resume
    assert numbers(run(config, pool, some, epochs=2, path=path, resume=state)) == numbers(ours[1:])


@pytest.mark.parametrize(("sizes", "passes"), [({4}, 2), ({2}, 1), ({4, 2}, 3), ({3}, 0)])
def test_passes_of_common_sizes_are_fused(sizes, passes, small_pretext, pool, split, fused_sizes, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "common", lambda given: asked.extend(given) or frozenset(sizes))
    some = Split(split.train[:10], split.val[:4])
    run(small_pretext(batch_size=10), pool, some, epochs=2, path="inductor")
    assert asked == [4, 4, 2]
    assert fused_sizes == [7 * size for size in asked if size in sizes] * 2
    assert len(fused_sizes) == 2 * passes
    asked.clear()
    run(small_pretext(batch_size=6, windows_per_epoch=9), pool, some, epochs=1, path="bf16")
    assert asked == []


@pytest.mark.parametrize("ends", ["in time", "too early", "with an error"])
def test_what_a_run_has_recorded_is_forgotten_at_its_end(ends, small_pretext, pool, split, monkeypatch):
    forgotten, seen = [], []
    monkeypatch.setattr(module, "forget", lambda *given: forgotten.append((*given, len(seen))))
    some = Split(split.train[:4], split.val[:2])
    results = pretrain(small_pretext(), pool, some, epochs=2, seed=1)
    seen.append(next(results))
    assert forgotten == []
    if ends == "too early":
        results.close()
    elif ends == "with an error":
        monkeypatch.setattr(module, "learning_rate", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            next(results)
    else:
        seen.extend(results)
    assert forgotten == [("direct", "cpu", len(seen))]


def test_a_state_of_another_path_is_refused(small_pretext, pool, split):
    state = run(small_pretext(), pool, split, epochs=1, path="direct")[0].snapshot().resume
    with pytest.raises(InputError, match="other parameters"):
        run(small_pretext(), pool, split, epochs=2, path="fourier", resume=state)


def test_the_metrics_say_what_their_names_say(small_pretext, pool, split, monkeypatch):
    outputs = []

    class Recorded(module.PretextScores):
        def add(self, out, n_windows):
            outputs.append((torch.is_grad_enabled(), out, n_windows))
            super().add(out, n_windows)

    monkeypatch.setattr(module, "PretextScores", Recorded)
    result = run(small_pretext(head__l2=0.5), pool, split, epochs=1)[0]
    val = [(out, n) for training, out, n in outputs if not training]
    logits = torch.cat([out.logits for out, _ in val])
    truth = torch.cat([out.classes for out, _ in val]).numpy()
    guess = logits.argmax(1).numpy()
    metrics = result.metrics
    n = sum(n for _, n in val)
    assert n == len(split.val)
    assert metrics["val_loss"] == pytest.approx(sum(out.loss.item() * k for out, k in val) / n)
    assert metrics["val_accuracy"] == pytest.approx(sk.accuracy_score(truth, guess))
    assert metrics["val_macro_f1"] == pytest.approx(sk.f1_score(truth, guess, average="macro"))
    binary = [sk.accuracy_score(truth == k, logits[:, k].numpy() > 0) for k in range(7)]
    assert metrics["val_one_vs_rest_accuracy"] == pytest.approx(np.mean(binary))
    names = ["original", "noise", "scaling", "negation", "temporal_inversion", "permutation", "time_warping"]
    assert [metrics[f"val_f1/{name}"] for name in names] == pytest.approx(list(sk.f1_score(truth, guess, average=None)))
    np.testing.assert_array_equal(result.confusion, sk.confusion_matrix(truth, guess))
    train = [(out.loss.item(), k) for training, out, k in outputs if training]
    assert metrics["train_loss"] == pytest.approx(sum(a * k for a, k in train) / len(split.train))


def test_an_epoch_of_some_windows_draws_new_ones_each_time(small_pretext, pool, split, monkeypatch):
    taken = []
    take = pool.take
    monkeypatch.setattr(pool, "take", lambda index: taken.append(list(index)) or take(index))
    progress = []
    for _ in pretrain(
        small_pretext(windows_per_epoch=11), pool, split, epochs=2, seed=0, progress=lambda *p: progress.append(p)
    ):
        taken.append("epoch")
    cut = taken.index("epoch")
    epochs = [[i for part in half if part != "epoch" for i in part] for half in (taken[:cut], taken[cut:])]
    train = [[i for i in epoch if i in split.train] for epoch in epochs]
    assert [len(set(part)) for part in train] == [11, 11]
    assert set(train[0]) != set(train[1])
    assert progress == [(8, 11), (11, 11)] * 2


def test_a_loss_that_is_no_number_is_reported(small_pretext, pool, split):
    config = small_pretext(optimizer="sgd", sgd__lr=10.0, sgd__momentum=0.99, loss="softmax", head__dropout=0.0)
    results = run(config, pool, split, epochs=12)
    last = results[-1].metrics
    assert math.isnan(last["val_loss"])
    assert math.isnan(last["val_accuracy"])
    assert math.isnan(last["val_f1/noise"])
    assert not any(math.isinf(value) for r in results for value in r.metrics.values())


def test_every_head_and_the_encoder_change(small_pretext, pool, split):
    one, two = (r.snapshot() for r in islice(pretrain(small_pretext(), pool, split, epochs=2, seed=0), 2))
    for before, after in ((one.encoder, two.encoder), (one.heads, two.heads)):
        assert all(not torch.equal(before[name], after[name]) for name in before if name.endswith("weight"))


@pytest.mark.slow
def test_it_learns(small_pretext, make_dataset):
    from ecgtune.data.pool import WindowPool
    from ecgtune.data.splits import pretext_split

    pool = WindowPool([make_dataset(subjects=6, per_class=8)])
    split = pretext_split(pool.persons, val_fraction=0.25, held_out=(), seed=0)
    easy = {"transforms__noise__snr_db": 3.0, "transforms__scaling__factor": 2.5, "loss_weights": "uniform"}
    config = small_pretext(adam__lr=3e-3, head__dropout=0.0, **easy)
    results = run(config, pool, split, epochs=5, seed=0)
    first, last = results[0].metrics, results[-1].metrics
    assert last["train_loss"] < 0.6 * first["train_loss"]
    assert last["val_accuracy"] > 0.5  # chance is 1/7


def test_validation_switches_dropout_off_and_uses_the_learned_statistics(small_pretext, pool, split):
    config = small_pretext(encoder__batch_norm=True, head__dropout=0.9)
    result = run(config, pool, split, epochs=1)[0]
    snapshot = result.snapshot()
    task = PRETEXT_TASKS[config.task](config)
    encoder = build_encoder(config.encoder, torch.Generator()).eval()
    heads = task.build_heads(encoder, torch.Generator()).eval()
    encoder.load_state_dict(snapshot.encoder)
    heads.load_state_dict(snapshot.heads)
    generator = torch_generator(module.VALIDATION_SEED, "validation views")
    views = task.views(torch.from_numpy(pool.take(split.val)), generator)
    with torch.no_grad():
        out = task.step(encoder, heads, views)
    assert result.metrics["val_loss"] == pytest.approx(out.loss.item(), rel=1e-5)


def test_l2_shrinks_the_heads(small_pretext, pool, split):
    def size(l2):
        config = small_pretext(optimizer="sgd", sgd__momentum=0.0, sgd__lr=0.05, head__l2=l2)
        heads = run(config, pool, split, epochs=1)[0].snapshot().heads
        return sum(float(value.square().sum()) for name, value in heads.items() if name.endswith("weight"))

    # Two steps, each of which takes 2 * lr * l2 off every weight.
    assert size(1.0) == pytest.approx(size(0.0) * (1 - 2 * 0.05 * 1.0) ** 4, rel=0.02)


def test_half_the_micro_batch_is_the_same_experiment(small_pretext, pool, split):
    """A run that ran out of memory goes on, from its state, with smaller pieces of the same batches."""
    # Dropout's masks are drawn micro-batch by micro-batch.
    config = small_pretext(head__dropout=0.0)
    whole, halved = (list(run(config, pool, split, halved=halved)) for halved in (False, True))
    assert halved[0].micro_batch * 2 == whole[0].micro_batch
    for one, other in zip(whole, halved, strict=True):
        assert other.metrics["train_loss"] == pytest.approx(one.metrics["train_loss"], rel=1e-4)
    state = run(config, pool, split, stop=1)[0].snapshot().resume
    (last,) = run(config, pool, split, halved=True, resume=state)[-1:]
    assert last.metrics["val_loss"] == pytest.approx(whole[-1].metrics["val_loss"], rel=1e-4)


def test_with_batch_norm_half_a_micro_batch_would_be_another_model(small_pretext, pool, split):
    with pytest.raises(MemoryError, match="batch norm"):
        run(small_pretext(encoder__batch_norm=True), pool, split, halved=True)
