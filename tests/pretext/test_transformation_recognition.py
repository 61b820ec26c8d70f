"""The views, the loss against a formula, and the public defects that must not come back."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgtune.config import TRANSFORMS as CLASSES
from ecgtune.config import EncoderConfig, PretextConfig, PretextHeadConfig
from ecgtune.models import build_encoder
from ecgtune.pretext import PRETEXT_TASKS
from ecgtune.pretext.transformation_recognition import make_views, one_vs_rest, softmax

PUBLISHED = [0.195, 0.195, 0.195, 0.0125, 0.0125, 0.195, 0.195]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def stage(seed=0, **changes):
    config = replace(PretextConfig(encoder=EncoderConfig(pool_stride=8)), **changes)
    task = PRETEXT_TASKS[config.task](config)
    encoder = build_encoder(config.encoder, seeded(seed))
    heads = task.build_heads(encoder, seeded(seed + 1))
    return task, encoder, heads


def sigmoid_terms(logits, classes):
    """[n_views, n_classes] cross-entropies, straight from the definition."""
    truth = np.eye(logits.shape[1])[classes]
    answer = 1 / (1 + np.exp(-logits))
    return -(truth * np.log(answer) + (1 - truth) * np.log(1 - answer))


@st.composite
def answers(draw):
    n_views = draw(st.integers(7, 30))
    logits = 3 * torch.randn(n_views, 7, generator=seeded(draw(st.integers(0, 2**31))), dtype=torch.float64)
    return logits, torch.tensor(draw(st.lists(st.integers(0, 6), min_size=n_views, max_size=n_views)))


@given(answers())
def test_one_vs_rest_is_the_weighted_sum_of_each_heads_mean_term(given_answers):
    logits, classes = given_answers
    expected = sigmoid_terms(logits.numpy(), classes.numpy()).mean(axis=0) @ np.array(PUBLISHED)
    found = one_vs_rest(logits, classes, torch.tensor(PUBLISHED, dtype=torch.float64))
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_weights_are_not_pos_weights():
    """A weight of 0 silences its head altogether; as `pos_weight` it would leave the negative views' term."""
    weights = torch.zeros(7)
    assert one_vs_rest(torch.randn(14, 7), torch.arange(7).repeat(2), weights).item() == 0.0
    weights[3] = 2.0
    logits = torch.randn(14, 7, requires_grad=True)
    one_vs_rest(logits, torch.arange(7).repeat(2), weights).backward()
    assert logits.grad is not None
    assert (logits.grad.abs().sum(dim=0) > 0).tolist() == [False, False, False, True, False, False, False]


@given(answers())
def test_softmax_is_the_mean_over_views_where_weights_are_uniform(given_answers):
    logits, classes = given_answers
    uniform = torch.full((7,), 1 / 7, dtype=torch.float64)
    chosen = logits.numpy()[np.arange(len(classes)), classes.numpy()]
    expected = np.mean(np.log(np.exp(logits.numpy()).sum(axis=1)) - chosen)
    assert softmax(logits, classes, uniform).item() == pytest.approx(expected, rel=1e-9)


def test_softmax_weighs_the_classes():
    logits, classes = torch.randn(21, 7, dtype=torch.float64), torch.arange(7).repeat(3)
    chosen = logits.logsumexp(dim=1) - logits[torch.arange(21), classes]
    expected = sum(weight * chosen[classes == k].mean() for k, weight in enumerate(PUBLISHED))
    found = softmax(logits, classes, torch.tensor(PUBLISHED, dtype=torch.float64))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("loss", ["one_vs_rest", "softmax"])
@pytest.mark.parametrize("loss_weights", ["published", "uniform"])
def test_the_step_uses_the_loss_and_the_weights_it_was_given(loss, loss_weights):
    task, encoder, heads = stage(loss=loss, loss_weights=loss_weights)
    out = task.step(encoder, heads.eval(), task.views(torch.randn(3, 300, generator=seeded(1)), seeded(2)))
    weights = torch.tensor(PUBLISHED if loss_weights == "published" else [1 / 7] * 7)
    expected = {"one_vs_rest": one_vs_rest, "softmax": softmax}[loss](out.logits, out.classes, weights)
    torch.testing.assert_close(out.loss, expected)


def test_weights_of_the_classes_sum_to_one():
    assert math.fsum(PUBLISHED) == pytest.approx(1.0)


def test_the_step_gives_seven_views_of_every_window_with_the_right_class():
    task, encoder, heads = stage()
    windows = torch.randn(3, 300, generator=seeded(1))
    out = task.step(encoder, heads.eval(), task.views(windows, seeded(2)))
    assert task.classes == CLASSES
    assert out.logits.shape == (21, 7)
    assert out.classes.tolist() == [k for k in range(7) for _ in range(3)]
    views = make_views(windows, seeded(2), PretextConfig().transforms)
    assert views.shape == (7, 3, 300)
    torch.testing.assert_close(views[CLASSES.index("negation")], -windows)
    torch.testing.assert_close(out.logits, heads(encoder(views.reshape(21, 300))))


def test_every_head_learns_in_a_step():
    """The public defect: heads in a plain list were in no optimiser, so they never learned."""
    task, encoder, heads = stage()
    before = {name: value.clone() for name, value in [*heads.named_parameters(), *encoder.named_parameters()]}
    optimizer = torch.optim.Adam([*encoder.parameters(), *heads.parameters()])
    out = task.step(encoder, heads, task.views(torch.randn(4, 300, generator=seeded(1)), seeded(2)))
    (out.loss + out.penalty).backward()
    optimizer.step()
    changed = {
        name
        for name, value in [*heads.named_parameters(), *encoder.named_parameters()]
        if (value != before[name]).any()
    }
    assert changed == set(before)
    assert sum(name.endswith("weight") for name, _ in heads.named_parameters()) == 7 * 2


def test_dropout_is_off_in_evaluation():
    task, encoder, heads = stage()
    windows = torch.randn(2, 300, generator=seeded(1))
    first, second = (task.step(encoder, heads.train(), task.views(windows, seeded(2))).logits for _ in range(2))
    assert not torch.equal(first, second)
    first, second = (task.step(encoder, heads.eval(), task.views(windows, seeded(2))).logits for _ in range(2))
    assert torch.equal(first, second)


def test_the_penalty_is_l2_times_the_squares_of_the_heads_weights():
    task, encoder, heads = stage(head=PretextHeadConfig(hidden=3, l2=0.5))
    with torch.no_grad():
        for parameter in heads.parameters():
            parameter.fill_(2.0)
    out = task.step(encoder, heads, task.views(torch.randn(2, 300, generator=seeded(1)), seeded(2)))
    # Biases, and the encoder, are not in it.
    assert out.penalty.item() == pytest.approx(0.5 * 7 * (128 * 3 + 3) * 4.0)
    assert out.penalty.requires_grad


@pytest.mark.slow
def test_it_learns_something():
    """Thirty steps on one batch bring the easy classes apart: far above chance, 1/7."""
    task, encoder, heads = stage(loss="softmax", loss_weights="uniform")
    time = torch.arange(400) / 256
    windows = torch.stack([torch.exp(-(((time + phase) % 0.8 - 0.4) ** 2) / 0.001) for phase in torch.rand(8)])
    optimizer = torch.optim.Adam([*encoder.parameters(), *heads.parameters()], lr=2e-3)
    generator = seeded(2)
    for _ in range(30):
        out = task.step(encoder, heads, task.views(windows, generator))
        optimizer.zero_grad()
        (out.loss + out.penalty).backward()
        optimizer.step()
    out = task.step(encoder, heads.eval(), task.views(windows, generator))
    assert (out.logits.argmax(dim=1) == out.classes).double().mean() > 0.3
