"""Search-space files: what is read, what is refused and where it is said to stand."""

import re
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgtune.errors import ConfigError, InputError
from ecgtune.space import Categorical, Float, Int, as_toml, read_space, space_from

HEAD = '[sweep]\nstage = "pretext"\n[parameters]\n'
LR = '"pretext/adam/lr" = { low = 1e-4, high = 1e-2, log = true }\n'
TYPE = '"pretext/scheduler/type" = { choices = ["none", "decay"] }\n'


def write(folder, text):
    path = folder / "space.toml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes_of(folder, text, stage=None):
    with pytest.raises(ConfigError) as caught:
        read_space(write(folder, text), stage)
    assert caught.value.exit_code == 2
    return caught.value.mistakes


def test_every_form_of_entry(tmp_path):
    text = (
        'question = "why?"\n'
        + HEAD
        + '"pretext/scheduler/decay" = { low = 0.9, high = 1, when = { "pretext/scheduler/type" = "decay" } }\n'
        + '"pretext/scheduler/cycles" = { type = "int", low = 1, high = 3, when = { "pretext/scheduler/type" = '
        '["none", "decay"] } }\n'
        + TYPE
        + LR
        + '"pretext/head/dropout" = { low = 0, high = 0.6, step = 0.2 }\n'
        + '"pretext/head/l2" = { choices = [0, 1e-4] }\n'
        + '"pretext/encoder/batch_norm" = true\n'
        + '"pretext/transforms/scaling/factor" = 2\n'
    )
    space = read_space(write(tmp_path, text))
    assert space.question == "why?"
    assert space.parameters == (
        Categorical("pretext/scheduler/type", ("none", "decay")),
        Float("pretext/scheduler/decay", 0.9, 1.0, when={"pretext/scheduler/type": ("decay",)}),
        Int("pretext/scheduler/cycles", 1, 3, when={"pretext/scheduler/type": ("none", "decay")}),
        Float("pretext/adam/lr", 1e-4, 1e-2, log=True),
        Float("pretext/head/dropout", 0.0, 0.6, step=0.2),
        Categorical("pretext/head/l2", (0.0, 1e-4)),
    )
    assert space.fixed == {"pretext/encoder/batch_norm": True, "pretext/transforms/scaling/factor": 2.0}
    assert isinstance(space.fixed["pretext/transforms/scaling/factor"], float)
    assert isinstance(space.parameters[5].choices[0], float)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('"pretext/adam/lr" = { low = 1e-2, high = 1e-4 }', "low = 0.01 is above high = 0.0001"),
        ('"pretext/adam/lr" = { low = 1e-2 }', "high is missing"),
        ('"pretext/adam/lr" = { log = true }', "neither bounds nor choices"),
        ('"pretext/adam/lr" = { low = 0.0, high = 1e-2 }', "low of pretext/adam/lr = 0.0: must be a number above 0"),
        ('"pretext/adam/lr" = { low = nan, high = 1e-2 }', "low of pretext/adam/lr = nan"),
        ('"pretext/adam/lr" = { low = 1e-3, high = inf }', "high of pretext/adam/lr = inf"),
        ('"pretext/adam/lr" = { low = "a", high = 1e-2 }', "low of pretext/adam/lr = 'a': must be a number"),
        ('"pretext/adam/lr" = { low = 1e-3, high = 1e-2, log = "yes" }', "log = 'yes': must be true or false"),
        ('"pretext/adam/lr" = { low = 1e-3, high = 1e-2, logg = true }', "unknown key 'logg'; did you mean 'log'?"),
        ('"pretext/adam/lr" = { low = 1e-3, high = 1e-2, zzz = 1 }', "known here are: type, low, high"),
        ('"pretext/adam/lr" = { type = "int", low = 1, high = 2 }', "this parameter is of type 'float'"),
        ('"pretext/adam/lr" = { low = 1e-3, high = 1e-2, when = "x" }', "when must be a table"),
        ('"pretext/adam/lr" = [1, 2]', "must be a value, or a table"),
        ('"pretext/adam/lr" = 11.0', "must be a number above 0 and at most 10"),
        ('"pretext/head/l2" = { low = 0.0, high = 1e-2, log = true }', "a log range must start above 0"),
        ('"pretext/head/dropout" = { low = 0.0, high = 0.5, step = 0.2 }', "does not lead from low"),
        ('"pretext/head/dropout" = { low = 0.0, high = 0.5, step = -0.1 }', "step = -0.1: must be a number above 0"),
        ('"pretext/head/l2" = { low = 0.1, high = 0.5, step = 0.1, log = true }', "exclude each other"),
        ('"pretext/scheduler/warmup" = { low = 1, high = 9, step = 0.5 }', "must be a whole number above 0"),
        ('"pretext/scheduler/warmup" = { low = 1, high = 8, step = 2 }', "does not lead from low"),
        ('"pretext/scheduler/warmup" = { low = 1.5, high = 8 }', "must be a whole number"),
        ('"pretext/batch_size" = { choices = [] }', "a list of at least one value"),
        ('"pretext/batch_size" = { choices = 8 }', "a list of at least one value"),
        ('"pretext/batch_size" = { choices = [8, 16, 8] }', "choices has 8 twice"),
        ('"pretext/batch_size" = { choices = [8, 0] }', "pretext/batch_size = 0: must be a whole number"),
        ('"pretext/batch_size" = { choices = [8], low = 3 }', "both choices and bounds"),
        ('"pretext/batch_size" = { choices = [8], type = "int" }', "type = 'int' does not go with choices"),
        ('"pretext/batch_size" = { choices = [8], log = true }', "unknown key 'log'"),
        ('"pretext/encoder/pool_stride" = { low = 2, high = 4 }', "has no range; write { choices = [...] }"),
        ('"pretext/encoder/pool_stride" = 9', "must be one of 1, 2"),
        ('"pretext/encoder/batch_norm" = { choices = [0, 1] }', "must be one of false, true"),
        ('"pretext/adam/lrr" = 0.1', "unknown parameter 'pretext/adam/lrr'; did you mean 'pretext/adam/lr'?"),
        ('"emotion/adam/lr" = 0.1', "belongs to the emotion stage; this space is for the pretext stage"),
    ],
)
def test_a_wrong_entry(tmp_path, entry, said):
    found = mistakes_of(tmp_path, HEAD + LR.replace("adam", "sgd") + entry + "\n")
    assert any(said in mistake for mistake in found), found
    assert all(mistake.startswith("line 5: ") for mistake in found)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('"pretext/adam/lr" = 0.1', "cannot depend on itself"),
        ('"pretext/optimizer" = "adam"', "that parameter is not in this file"),
        ('"pretext/optimiser" = "adam"', "did you mean 'pretext/optimizer'?"),
        ('"pretext/scheduler/type" = "cosine_w_restarts"', "must be among its choices, 'none', 'decay'"),
        ('"pretext/scheduler/type" = []', "must be a value or a list of values"),
        ('"pretext/head/dropout" = 0.1', "a condition needs a parameter with choices"),
        ('"pretext/loss" = "hinge"', "must be one of 'one_vs_rest', 'softmax'"),
    ],
)
def test_a_wrong_condition(tmp_path, condition, said):
    text = (
        HEAD
        + f'"pretext/adam/lr" = {{ low = 1e-3, high = 1e-2, when = {{ {condition} }} }}\n'
        + TYPE
        + '"pretext/head/dropout" = { low = 0.0, high = 0.5 }\n"pretext/loss" = "softmax"\n'
    )
    (mistake,) = mistakes_of(tmp_path, text)
    assert said in mistake
    assert mistake.startswith("line 4: ")


def test_a_circle_of_conditions_is_named(tmp_path):
    text = HEAD + (
        '"pretext/optimizer" = { choices = ["adam"], when = { "pretext/loss" = "softmax" } }\n'
        '"pretext/loss" = { choices = ["softmax"], when = { "pretext/loss_weights" = "uniform" } }\n'
        '"pretext/loss_weights" = { choices = ["uniform"], when = { "pretext/loss" = "softmax" } }\n'
    )
    (mistake,) = mistakes_of(tmp_path, text)
    assert "pretext/loss, pretext/loss_weights, pretext/loss;" in mistake


def test_nothing_is_said_of_a_condition_on_an_entry_that_is_wrong_itself(tmp_path):
    text = (
        HEAD
        + '"pretext/scheduler/type" = { choices = ["none", "cosine"] }\n'
        + ('"pretext/scheduler/cycles" = { low = 1, high = 3, when = { "pretext/scheduler/type" = "cosine" } }\n')
    )
    (mistake,) = mistakes_of(tmp_path, text)
    assert "'cosine'" in mistake
    assert mistake.startswith("line 4: ")


def test_five_different_mistakes_come_at_once_in_the_order_of_their_lines(tmp_path):
    text = (
        "nosuch = 1\n"
        + HEAD
        + '"pretext/adam/lr" = { low = 1e-2, high = 1e-4 }\n'
        + '"pretext/batchsize" = { choices = [8] }\n'
        + '"pretext/encoder/activation" = { choices = ["gelu"] }\n'
        + '"pretext/scheduler/warmup" = { low = 0, high = 5, step = 2 }\n'
    )
    found = mistakes_of(tmp_path, text)
    assert [re.match(r"line (\d+): ", mistake).group(1) for mistake in found] == ["1", "5", "6", "7", "8"]


def test_lines_are_told_where_parameters_are_tables_of_their_own(tmp_path):
    text = '[sweep]\nstage = "pretext"\n\n[parameters."pretext/adam/lr"]\nlow = 1.0\nhigh = 0.1\n'
    (mistake,) = mistakes_of(tmp_path, text)
    assert mistake.startswith("line 4: ")


def test_without_a_line_the_key_is_told(tmp_path):
    text = 'parameters = { "pretext/adam/lr" = 99 }\nsweep = { stage = "pretext" }\n'
    found = mistakes_of(tmp_path, text)
    assert any(mistake.startswith("pretext/adam/lr = 99") for mistake in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sweep\n", "this is not TOML: "),
        ('[parameters]\n"pretext/adam/lr" = 1\n"pretext/adam/lr" = 2\n', "at line 3"),
        (HEAD, "nothing is varied"),
        (HEAD + '"pretext/adam/lr" = 0.1\n', "nothing is varied"),
        (HEAD + LR + "[parametrs]\n", "unknown table or key 'parametrs'; did you mean 'parameters'?"),
        ("zz = 1\n" + HEAD + LR, "known are: question, sweep, parameters"),
        ("question = 3\n" + HEAD + LR, "line 1: question must be a text"),
        ('parameters = 3\n[sweep]\nstage = "pretext"\n', "line 1: parameters must be a table"),
        (LR, "stage is missing"),
    ],
)
def test_a_wrong_file(tmp_path, text, said):
    assert any(said in mistake for mistake in mistakes_of(tmp_path, text))


def test_a_space_of_the_other_stage_is_refused(tmp_path):
    (mistake,) = mistakes_of(tmp_path, HEAD + LR, stage="emotion")
    assert "for the pretext stage, but the emotion stage was asked for" in mistake


WRONG = '"pretext/adam/lr" = { low = 1e-2, high = 1e-4 }\n"pretext/batch_size" = { choices = [8, 0] }\n'


@pytest.mark.parametrize(
    ("sweep", "stage", "said"),
    [
        ("", None, "stage is missing"),
        ('stage = "pretxt"', None, "stage = 'pretxt': must be one of"),
        ('stage = ["pretext"]', None, "stage = ['pretext']: must be one of"),
        ('stage = "pretext"', "emotion", "but the emotion stage was asked for"),
    ],
)
def test_a_wrong_stage_does_not_hide_the_other_mistakes(tmp_path, sweep, stage, said):
    text = f"[sweep]\n{sweep}\nnum_samples = 0\nfolds = 5\n[parameters]\n{WRONG}"
    found = "\n".join(mistakes_of(tmp_path, text, stage))
    for part in (
        said,
        "num_samples = 0",
        "folds belongs to the emotion stage",
        "low = 0.01 is above",
        "batch_size = 0",
    ):
        assert part in found
    assert found.count("line ") == 5


def test_where_the_names_do_not_tell_the_stage_the_one_asked_for_does(tmp_path):
    text = f'[sweep]\n[parameters]\n{WRONG}"emotion/batch_size" = 8\n'
    found = "\n".join(mistakes_of(tmp_path, text, "pretext"))
    assert "stage is missing" in found
    assert "emotion/batch_size belongs to the emotion stage" in found
    assert "low = 0.01 is above" in found
    (mistake,) = mistakes_of(tmp_path, text)
    assert "stage is missing" in mistake


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_space(tmp_path / "none.toml")
    with pytest.raises(InputError, match="Is a directory"):
        read_space(tmp_path)
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_space(tmp_path / "bad.toml")


def floats(low, high):
    return st.floats(low, high, allow_nan=False).map(lambda value: float(f"{value:.6g}"))


@st.composite
def contents(draw):
    low, high = sorted((draw(floats(1e-6, 10)), draw(floats(1e-6, 10))))
    types = draw(st.lists(st.sampled_from(["none", "decay", "cosine_w_restarts"]), min_size=1, unique=True))
    first, steps, step = draw(st.integers(0, 50)), draw(st.integers(0, 9)), draw(st.integers(1, 5))
    warmup = {"low": first, "high": first + steps * step, "step": step}
    if draw(st.booleans()):
        warmup["when"] = {"pretext/scheduler/type": draw(st.sampled_from(types))}
    parameters = {
        "pretext/adam/lr": {"low": low, "high": high, "log": draw(st.booleans())},
        "pretext/scheduler/warmup": warmup,
        "pretext/scheduler/type": {"choices": types},
        "pretext/batch_size": {"low": 1, "high": draw(st.integers(1, 99)), "log": draw(st.booleans())},
        "pretext/encoder/batch_norm": draw(st.one_of(st.booleans(), st.just({"choices": [False, True]}))),
        "pretext/head/l2": draw(st.one_of(floats(0, 1), st.just({"choices": [0, 0.5]}))),
    }
    names = draw(st.permutations(list(parameters)))
    sweep = {"stage": "pretext", "seed": draw(st.integers(0, 2**32 - 1)), "hold_out": draw(floats(0, 0.9))}
    question = draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
    return {"question": question, "sweep": sweep, "parameters": {name: parameters[name] for name in names}}


@settings(max_examples=60, deadline=None)
@given(contents())
def test_what_is_written_reads_as_the_same_space(tmp_path_factory, content):
    space = space_from(content, Path("memory"))
    written = write(tmp_path_factory.mktemp("space"), tomli_w.dumps(as_toml(space)))
    again = read_space(written)
    assert (again.question, again.settings, again.parameters, again.fixed) == (
        space.question,
        space.settings,
        space.parameters,
        space.fixed,
    )
    assert as_toml(again) == as_toml(space)
    seen = set(space.fixed)
    for parameter in space.parameters:
        assert set(parameter.when) <= seen
        seen.add(parameter.name)
