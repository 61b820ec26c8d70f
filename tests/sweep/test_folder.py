import pytest

from ecgtune.errors import InputError
from ecgtune.sweep.folder import SweepFolder, find_pretext_model, sweep_folder, sweeps


@pytest.mark.parametrize("name", ["../up", "a/b", "/abs", "", ".hidden", "a..b", "a\\b", "x" * 101, "a b", "ü"])
def test_a_name_cannot_leave_the_results_folder(tmp_path, name):
    with pytest.raises(InputError, match="cannot name a sweep. Use up to 100 letters"):
        sweep_folder(tmp_path, name)


@pytest.mark.parametrize("name", ["a", "pretext-20261122-120000", "v1.2_x"])
def test_ordinary_names(tmp_path, name):
    assert sweep_folder(tmp_path, name).path == tmp_path / name


def make(results, name, stage, *, age, finished=True, model=True):
    folder = SweepFolder(results / name)
    state = "finished" if finished else "interrupted"
    folder.write({"created": f"2026-01-{20 - age}", "state": state, "sweep": {"stage": stage}})
    if model:
        folder.best.mkdir()
        (folder.best / "model.json").write_text("{}")
    return folder


def test_the_newest_finished_pretext_sweep_is_the_default(tmp_path):
    with pytest.raises(InputError, match="has no finished pretext sweep"):
        find_pretext_model(tmp_path, None)
    make(tmp_path, "old", "pretext", age=3)
    newest = make(tmp_path, "new", "pretext", age=2)
    make(tmp_path, "unfinished", "pretext", age=1, finished=False)
    make(tmp_path, "empty", "pretext", age=1, model=False)
    make(tmp_path, "other", "emotion", age=0)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "sweep.toml").write_text("x = 1")
    assert [folder.name for folder in sweeps(tmp_path)] == ["old", "new", "empty", "unfinished", "other"]
    assert find_pretext_model(tmp_path, None) == newest.best


def test_a_pretext_model_by_name_or_path(tmp_path, monkeypatch):
    folder = make(tmp_path / "results", "mine", "pretext", age=0)
    monkeypatch.chdir(tmp_path)
    for wanted in ("mine", str(folder.path), str(folder.best), "results/mine"):
        assert find_pretext_model(tmp_path / "results", wanted).resolve() == folder.best
    make(tmp_path / "results", "head", "emotion", age=1)
    with pytest.raises(InputError, match=r"--pretext theirs: no model there.*these have: mine\)"):
        find_pretext_model(tmp_path / "results", "theirs")


@pytest.mark.parametrize(("text", "message"), [(None, "has no sweep.toml"), ("a = ", "cannot be read")])
def test_a_broken_definition(tmp_path, text, message):
    if text is not None:
        (tmp_path / "sweep.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        SweepFolder(tmp_path).read()


def test_no_results_folder_means_no_sweeps(tmp_path):
    assert list(sweeps(tmp_path / "none")) == []
