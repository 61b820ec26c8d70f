"""The honest numbers of small sweeps, and which sweeps are not compared."""

import json
import shutil

import numpy as np
import pytest

from ecgtune.cli.evaluate_view import sentences, table
from ecgtune.errors import InputError
from ecgtune.evaluation.candidates import stored
from ecgtune.evaluation.statistics import person_statistics
from ecgtune.evaluation.sweep_evaluation import evaluate_sweeps
from ecgtune.sweep.emotion_job import open_emotion
from ecgtune.sweep.plan import Resources
from ecgtune.sweep.planning import plan_again
from ecgtune.sweep.retention import remove_weights
from ecgtune.training.checkpoint import load_card
from tests.evaluation.conftest import write_dataset, write_encoder


def evaluate(*folders, tmp_path, **given):
    return evaluate_sweeps(folders, cache=tmp_path / "cache", **({"random_encoders": 0} | given))


def row(evaluation, name):
    (found,) = [row for row in evaluation.rows if row.name == name]
    return found


def test_rows_leads_and_choices(workshop, tmp_path):
    one = workshop.sweep("one", best=1)
    other = workshop.sweep("other", trials=({},), random_weights=True)
    told = []
    found = evaluate(one, other, tmp_path=tmp_path, random_encoders=1, tell=told.append)
    assert [row.name for row in found.rows] == [
        "one: winner", "one: default configuration", "other: winner", "other: default configuration",
        "majority class", "heart rate alone", "heart rate alone, per person", "random encoder 1, same head",
    ]  # fmt: skip
    assert (found.target, found.n_folds) == ("arousal > 3", 2)
    assert told[-1] == "random encoder 1 of 1"
    winner = found.rows[0].windows["balanced_accuracy"].value
    for other_row in found.rows[1:]:
        expected = winner - other_row.windows["balanced_accuracy"].value
        assert other_row.lead["balanced_accuracy"].value == pytest.approx(expected)
    assert [found.sweeps[name].n_trials for name in ("one", "other")] == [2, 1]


def test_the_weights_of_the_losers_are_not_needed(workshop, tmp_path):
    folder = workshop.sweep("one", best=1)
    before = evaluate(folder, tmp_path=tmp_path)
    # The default configuration is among the losers.
    assert remove_weights(folder, "00000", 1).size > 0
    after = evaluate(folder, tmp_path=tmp_path)
    assert after.sweeps["one"].n_trials == 2
    assert str(after.sweeps["one"].estimate) == str(before.sweeps["one"].estimate)
    assert [str(row) for row in after.rows] == [str(row) for row in before.rows]


def test_every_row_carries_its_own_models_mark(workshop, tmp_path):
    # The winner scales features by person and the default does not; then the other way about.
    found = evaluate(workshop.sweep("one", best=1), tmp_path=tmp_path)
    marks = {row.name: row.transductive for row in found.rows}
    assert (marks["one: winner"], marks["one: default configuration"]) == (True, False)
    everybody = tuple(f"hearts:p{number}" for number in range(5))
    write_encoder(workshop.model, subjects=everybody)
    folder = workshop.sweep("seen", trials=({},), transductive=True)
    assert load_card(folder.best)["transductive"]
    found = evaluate(folder, tmp_path=tmp_path)
    assert row(found, "seen: default configuration").transductive
    assert found.sweeps["seen"].transductive
    assert "* on people left out of that choice" in "\n".join(sentences(found))


def test_a_choice_is_transductive_if_any_of_its_trials_is(workshop, tmp_path):
    mixed = workshop.sweep("mixed", best=0)
    plain = workshop.sweep("plain", trials=({}, {"emotion/adam/lr": 0.01}))
    found = evaluate(mixed, plain, tmp_path=tmp_path)
    assert (found.sweeps["mixed"].transductive, found.sweeps["plain"].transductive) == (True, False)
    mine, its = [text for text in sentences(found) if "choosing the best" in text]
    assert "] * on people" in mine
    assert "] on people" in its


@pytest.mark.parametrize(
    ("pursued", "mode", "selects_by"),
    [("val_auc", "max", "auc"), ("val_macro_f1", "max", "macro_f1"), ("val_loss", "min", "balanced_accuracy")],
)
def test_each_sweep_selects_by_its_own_metric(workshop, tmp_path, pursued, mode, selects_by):
    trials = ({}, {"emotion/adam/lr": 0.05}, {"emotion/adam/lr": 0.0005})
    first = workshop.sweep("first-one", trials=({},))
    other = workshop.sweep("other", trials=trials, settings={"metric": pursued, "mode": mode})
    found = evaluate(first, other, tmp_path=tmp_path)
    assert (found.sweeps["first-one"].metric, found.sweeps["other"].metric) == ("balanced_accuracy", selects_by)
    from ecgtune.evaluation.sweep_definition import emotion_sweep

    data = open_emotion(emotion_sweep(other).job)
    scores = []
    for number in range(3):
        counts = person_statistics(data.persons, data.classes, stored(other.trial(f"{number:05d}") / "best", data))
        scores.append(float(counts.score(selects_by, np.ones((1, 5)))[0]))
    assert found.sweeps["other"].estimate.winner == int(np.argmax(scores))
    assert found.sweeps["other"].estimate.naive[selects_by] == pytest.approx(max(scores))


def test_what_is_not_corrected_is_what_the_sweep_used(workshop, tmp_path):
    guided = workshop.sweep("guided", trials=({},))
    blind = workshop.sweep("blind", trials=({},), settings={"searcher": "random", "scheduler": "none"})
    found = evaluate(guided, blind, tmp_path=tmp_path)
    assert found.sweeps["blind"].not_corrected == ("each trial's best epoch",)
    said = [text for text in sentences(found) if "not corrected" in text]
    assert (
        "each trial's best epoch, the trials that ASHA stopped and the configurations that TPE proposed also" in said[0]
    )
    assert "optimistic: each trial's best epoch also used" in said[1]


def test_each_sweeps_encoder_is_named(workshop, tmp_path):
    trained = workshop.sweep("trained", trials=({},))
    random = workshop.sweep("random", trials=({},), random_weights=True)
    found = evaluate(trained, random, tmp_path=tmp_path)
    origin = found.sweeps["trained"].encoder
    assert (origin.sweep, origin.trial, origin.random_weights) == ("first", "00001", False)
    assert found.sweeps["random"].encoder.random_weights
    said = list(sentences(found))
    assert "trained: its encoder comes from the pretext sweep first, trial 00001." in said
    assert (
        "random: its encoder has random weights, in the architecture of the pretext sweep first, trial 00001." in said
    )
    write_encoder(workshop.model, sweep={})
    lone = evaluate(workshop.sweep("lone", trials=({},)), tmp_path=tmp_path)
    assert "lone: its encoder comes from the pretext model ../first/best, which is of no sweep." in list(
        sentences(lone)
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": "valence"}, "differ in target: arousal and valence. Evaluate them one by one"),
        ({"threshold": 2.5}, "differ in threshold: 3 and 2.5"),
        ({"target": "valence", "threshold": 2.0}, "target: arousal and valence; threshold: 3 and 2"),
    ],
)
def test_sweeps_that_answer_other_questions_are_not_compared(workshop, tmp_path, given, message):
    one, other = workshop.sweep("one", trials=({},)), workshop.sweep("other", trials=({},), **given)
    with pytest.raises(InputError, match=message):
        evaluate(one, other, tmp_path=tmp_path)


def test_sweeps_on_other_data_are_not_compared(workshop, tmp_path):
    one = workshop.sweep("one", trials=({},))
    shutil.rmtree(workshop.data)
    write_dataset(workshop.data, seed=1)
    open_emotion.cache_clear()
    other = workshop.sweep("other", trials=({},))
    with pytest.raises(InputError, match="one and other cannot be compared, because they differ in data fingerprint"):
        evaluate(one, other, tmp_path=tmp_path)
    with pytest.raises(InputError, match="one: the data set in .* has been replaced since this sweep was begun"):
        evaluate(one, tmp_path=tmp_path)


def test_a_sweep_cannot_stand_on_two_encoders(workshop, tmp_path):
    folder = workshop.sweep("one", trials=({},))
    assert plan_again(folder, Resources(), None).lineage == folder.read()["pretext"]
    write_encoder(workshop.model, seed=1)
    open_emotion.cache_clear()
    for use in (lambda: evaluate(folder, tmp_path=tmp_path), lambda: plan_again(folder, Resources(), 99)):
        with pytest.raises(InputError, match="one: the pretext model in .* has been replaced since .* another --name"):
            use()


def test_what_is_no_finished_emotion_sweep_is_refused(workshop, tmp_path):
    folder = workshop.sweep("one", trials=({},))
    shutil.move(folder.path / "trials", folder.path / "moved")
    with pytest.raises(InputError, match="holds no trial's predictions"):
        evaluate(folder, tmp_path=tmp_path)
    shutil.rmtree(folder.best)
    with pytest.raises(InputError, match="one has no best model yet"):
        evaluate(folder, tmp_path=tmp_path)
    content = folder.read()
    folder.write(content | {"sweep": content["sweep"] | {"stage": "pretext"}})
    with pytest.raises(InputError, match="one is a pretext sweep; evaluate takes emotion sweeps"):
        evaluate(folder, tmp_path=tmp_path)


def printed(evaluation, width):
    from rich.console import Console

    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(table(evaluation))
    return capture.get()


def test_the_table_fits_a_terminal(workshop, tmp_path):
    found = evaluate(workshop.sweep("my-emotion"), workshop.sweep("my-random"), tmp_path=tmp_path)
    names = [row.name + " *" * row.transductive for row in found.rows]
    wide, narrow = printed(found, 100), printed(found, 80)
    # On 100 columns a line per row beneath the heading's two; on 80 an interval is whole, beneath its value.
    assert len(wide.splitlines()) == len(names) + 2
    for text in (wide, narrow):
        assert all(name in text for name in names)
        assert "…" not in text
        assert text.count("[") == text.count("]") == 3 * len(names) - 1
        for line in text.splitlines():
            assert line.count("[") == line.count("]")


def test_the_command_writes_and_prints_it(workshop, run_cli):
    folder = workshop.sweep("one", trials=({},))
    arguments = ("evaluate", "one", "--results", folder.path.parent, "--random-encoders", "0")
    shown = run_cli(*arguments)
    assert shown.exit_code == 0, shown.stderr
    assert "one: arousal > 3, 2 folds by person" in shown.stdout
    assert "one: its encoder comes from the pretext sweep first, trial 00001." in shown.stdout
    content = json.loads((folder.path / "evaluation.json").read_text())
    encoder = content["sweeps"]["one"]["encoder"]
    assert (encoder["sweep"], encoder["trial"], encoder["random_weights"]) == ("first", "00001", False)
    assert json.loads(run_cli(*arguments, "--json").stdout) == content
