"""The spaces that come with ecgtune."""

import re
from pathlib import Path

import pytest

from ecgtune.config import STAGE_CONFIGS, configure, parameters
from ecgtune.errors import InputError
from ecgtune.space import Categorical, Float, Int, active, find_space, read_space, shipped_spaces

NAMES = sorted(shipped_spaces())


def allows(parameter, value):
    if isinstance(parameter, Categorical):
        return value in parameter.choices
    if not parameter.low <= value <= parameter.high:
        return False
    steps = (value - parameter.low) / parameter.step if parameter.step else 0
    return abs(steps - round(steps)) < 1e-6


def test_what_is_shipped():
    assert {"pretext", "emotion", "reported", "reported_emotion", "smoke", "smoke_emotion"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_reads_asks_a_question_and_names_its_command(name):
    path = shipped_spaces()[name]
    space = read_space(path)
    assert space.question.endswith("?")
    header = path.read_text(encoding="utf-8").split("question =")[0]
    (command,) = re.findall(r"ecgtune sweep (\w+) .*--space (\w+)$", header, flags=re.MULTILINE)
    assert command[0] == space.settings.stage
    assert find_space(command[1], space.settings.stage) == path


@pytest.mark.parametrize("name", ["pretext", "emotion"])
def test_the_recommended_spaces_hold_the_default_configuration(name):
    space = read_space(shipped_spaces()[name])
    stage = space.settings.stage
    defaults = parameters(STAGE_CONFIGS[stage]())
    playing = active(space.parameters, defaults)
    assert len(playing) >= 8
    outside = [p.name for p in space.parameters if p.name in playing and not allows(p, defaults[p.name])]
    assert outside == []
    assert {name: defaults[name] for name in space.fixed} == dict(space.fixed)


@pytest.mark.parametrize(
    "trial",
    [
        (0.0020220503805149607, 64, 1, 0.9671129657621143, "cosine_w_restarts", 8),
        (0.0024396003748203415, 32, 2, 0.9513865638735618, "none", 5),
    ],
)
def test_the_reported_space_holds_the_reported_trials(trial):
    space = read_space(find_space("reported", "pretext"))
    names = ("adam/lr", "batch_size", "scheduler/cycles", "scheduler/decay", "scheduler/type", "scheduler/warmup")
    values = dict(zip((f"pretext/{name}" for name in names), trial, strict=True))
    assert {p.name for p in space.parameters} == set(values)
    assert all(allows(p, values[p.name]) and not p.when for p in space.parameters)
    configure(STAGE_CONFIGS["pretext"], {**space.fixed, **values}, where="the reported trial")
    assert space.fixed == {"pretext/scheduler/span": "reported"}
    settings = space.settings
    assert (settings.max_epochs, settings.num_samples, settings.scheduler) == (100, 20, "asha")
    assert (settings.grace_period, settings.reduction_factor) == (1, 2)


@pytest.mark.parametrize(
    ("stage", "low", "high", "epochs"), [("pretext", 9e-5, 2e-2, 100), ("emotion", 5e-4, 1e-1, 200)]
)
def test_the_reported_ranges(stage, low, high, epochs):
    space = read_space(find_space("reported", stage))
    assert space.settings.max_epochs == epochs
    assert {p.name.partition("/")[2]: p for p in space.parameters} == {
        "adam/lr": Float(f"{stage}/adam/lr", low, high, log=True),
        "batch_size": Categorical(f"{stage}/batch_size", (8, 16, 32, 64, 128)),
        "scheduler/type": Categorical(f"{stage}/scheduler/type", ("decay", "cosine_w_restarts", "none")),
        "scheduler/decay": Float(f"{stage}/scheduler/decay", 0.90, 0.99, log=True),
        "scheduler/warmup": Int(f"{stage}/scheduler/warmup", 5, 14),
        "scheduler/cycles": Int(f"{stage}/scheduler/cycles", 1, 3),
    }


def test_a_name_is_looked_for_with_its_stage_first():
    assert find_space("smoke", "pretext").name == "smoke.toml"
    assert find_space("smoke", "emotion").name == "smoke_emotion.toml"
    assert find_space("pretext", "pretext").name == "pretext.toml"


def test_a_path_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").touch()
    assert find_space("mine.toml", "pretext") == Path("mine.toml")
    assert find_space(str(tmp_path / "mine.toml"), "emotion") == tmp_path / "mine.toml"


def test_an_unknown_name():
    with pytest.raises(InputError, match=r"no search space 'smok'.* Did you mean 'smoke'\? Shipped are: .*reported"):
        find_space("smok", "pretext")
