"""Who stands on a pretext model."""

import json
import shutil

import pytest
import tomli_w

from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.paths import portable
from ecgtune.sweep.references import References


@pytest.fixture
def mine(tmp_path):
    folder = SweepFolder(tmp_path / "project" / "results" / "mine")
    for place in (folder.best, folder.trial("00003") / "best"):
        place.mkdir(parents=True)
    folder.write({"created": "2026"})
    return folder


def emotion_sweep(folder, model, **origin):
    folder.path.mkdir(parents=True)
    folder.write({"created": "2026", "pretext": {"model": portable(model, folder), **origin}})


def run(place, model, sweep=None):
    place.mkdir(parents=True)
    (place / "config.toml").write_text(tomli_w.dumps({"run": {"pretext": str(model)}, "parameters": {}}))
    if sweep is not None:
        (place / "best").mkdir()
        (place / "best" / "model.json").write_text(json.dumps({"pretext": {"sweep": sweep}}))


def of(folder):
    return References(folder.path.parent)


@pytest.mark.parametrize("results", ["results", "others"])
def test_an_emotion_sweep_on_a_trials_model(mine, results):
    later = SweepFolder(mine.path.parents[1] / results / "later")
    emotion_sweep(later, mine.trial("00003") / "best")
    assert of(mine).trials(mine) == {"00003"}
    assert [reference.by for reference in of(mine).to(mine)] == [later.path]


def test_an_emotion_sweep_on_the_winner_holds_the_trial_that_it_was_copied_from(mine):
    later = SweepFolder(mine.path.parent / "later")
    emotion_sweep(later, mine.best, sweep_name="mine", sweep_trial="00007")
    assert of(mine).trials(mine) == {"00007"}


def test_a_run_of_train_emotion(mine):
    run(mine.path.parent / "single", "results/mine/trials/00003/best")
    assert of(mine).trials(mine) == {"00003"}
    run(mine.path.parent / "another", "somewhere/else", sweep={"name": "mine", "trial": "00009"})
    assert of(mine).trials(mine) == {"00003", "00009"}


def test_a_sweep_of_the_same_name_elsewhere_is_another(mine):
    project = mine.path.parents[1]
    elsewhere = project / "others" / "mine" / "best"
    emotion_sweep(SweepFolder(project / "others" / "later"), elsewhere, sweep_name="mine", sweep_trial="00001")
    assert of(mine).to(mine) == []


@pytest.mark.parametrize(
    "content", ["", "[pretext]\n", "[[", 'pretext = "x"\n', "[pretext]\nmodel = 3\n"], ids=range(5)
)
def test_what_cannot_be_read_refers_to_nothing(mine, content):
    for name, file in (("sweep", "sweep.toml"), ("run", "config.toml")):
        (mine.path.parent / name).mkdir()
        (mine.path.parent / name / file).write_text(content)
    (mine.path.parent / "a file").write_text("")
    assert of(mine).to(mine) == []


def test_what_changes_is_read_again(mine):
    references = of(mine)
    assert references.to(mine) == []
    later = SweepFolder(mine.path.parent / "later")
    emotion_sweep(later, mine.trial("00003") / "best")
    assert references.trials(mine) == {"00003"}
    shutil.rmtree(later.path)
    emotion_sweep(later, mine.trial("00004") / "best", random_weights=False)
    assert references.trials(mine) == {"00004"}
    shutil.rmtree(later.path)
    assert references.trials(mine) == set()


def test_no_results_folder_at_all(tmp_path):
    folder = SweepFolder(tmp_path / "nothing" / "mine")
    assert of(folder).to(folder) == []
