"""The optimiser that a configuration names: the numbers of PyTorch's own class of that name."""

import copy
import subprocess
import sys

import pytest
import torch

from ecgtune.config import EmotionConfig, PretextConfig, configure
from ecgtune.training.optimiser import base_rate, build_optimizer, set_rate

GIVEN = [
    ("adam", {"lr": 0.25}),
    ("adamw", {"lr": 0.25, "weight_decay": 0.125}),
    ("sgd", {"lr": 0.25, "momentum": 0.75}),
    ("sgd", {"lr": 0.25, "momentum": 0.0}),
]
REFERENCE = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def made(name, given, stage="emotion"):
    settings = {f"{stage}/{name}/{key}": value for key, value in given.items()}
    kind = PretextConfig if stage == "pretext" else EmotionConfig
    return configure(kind, {f"{stage}/optimizer": name, **settings}, where="test")


def parameters():
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 4), (5,), (2, 2, 2))]


def train(weights, optimizer, steps, change_rate):
    """Steps on a known bowl; the last parameter has no gradient every other step."""
    for step in steps:
        change_rate(optimizer, 0.25 / (1 + step))
        optimizer.zero_grad()
        used = weights if step % 2 == 0 else weights[:-1]
        sum((weight - number).square().sum() for number, weight in enumerate(used)).backward()
        optimizer.step()


def reference_rate(optimizer, rate):
    for group, factor in zip(optimizer.param_groups, (0.5, 1.0), strict=True):
        group["lr"] = rate * factor


@pytest.mark.parametrize("stage", ["pretext", "emotion"])
@pytest.mark.parametrize(("name", "given"), GIVEN)
def test_the_numbers_are_those_of_pytorch(name, given, stage):
    config = made(name, given, stage)
    assert base_rate(config) == 0.25
    ours, theirs = parameters(), parameters()
    train(ours, build_optimizer(config, (ours[:1], 0.5), (iter(ours[1:]), 1.0)), range(12), set_rate)
    groups = [{"params": theirs[:1]}, {"params": theirs[1:]}]
    train(theirs, REFERENCE[name](groups, **given), range(12), reference_rate)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "given"), GIVEN)
def test_a_state_goes_on_bit_for_bit(name, given):
    config, whole = made(name, given), parameters()
    optimizer = build_optimizer(config, (whole, 1.0))
    set_rate(optimizer, 0.5)
    assert optimizer.rates == [0.5]
    train(whole, optimizer, range(5), set_rate)
    state, halfway = copy.deepcopy(optimizer.state_dict()), [weight.detach().clone() for weight in whole]
    train(whole, optimizer, range(5, 9), set_rate)
    again = [torch.nn.Parameter(weight) for weight in halfway]
    resumed = build_optimizer(config, (again, 1.0))
    resumed.load_state_dict(state)
    train(again, resumed, range(5, 9), set_rate)
    assert all(torch.equal(mine, other) for mine, other in zip(again, whole, strict=True))


def test_a_worker_does_not_load_the_compiler():
    code = """
import sys, torch
from ecgtune.config import EmotionConfig
from ecgtune.training.optimiser import build_optimizer
weight = torch.nn.Parameter(torch.ones(2))
optimizer = build_optimizer(EmotionConfig(), ([weight], 1.0))
weight.sum().backward()
optimizer.step()
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
