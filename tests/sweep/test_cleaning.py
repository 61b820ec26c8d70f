"""What old sweeps leave behind: found, shown, removed; and everything else untouched."""

import os
import time

import pytest

from ecgtune.errors import InputError
from ecgtune.sweep.cleaning import clean, find, find_entirely
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.lock import driving
from ecgtune.sweep.references import References
from tests.sweep.test_retention import with_weights, write_model, write_sweep

TABLE = """trial_id,state,reason,epochs,best_epoch,val_loss
00000,COMPLETE,,9,7,0.5
00001,PRUNED,asha,3,2,0.7
00002,FAILED,nan,0,,
00003,RUNNING,,1,1,0.1
00004,COMPLETE,,9,7,0.4
"""
DEFINITION = {"sweep": {"stage": "pretext", "metric": "val_loss", "mode": "min"}}
OLD = time.time() - 2 * 86_400


@pytest.fixture
def folder(tmp_path):
    folder = write_sweep(SweepFolder(tmp_path / "results" / "mine"), **DEFINITION)
    folder.trials_table.write_text(TABLE)
    for number in range(5):
        write_model(folder, f"{number:05d}")
    return folder


@pytest.fixture
def references(folder):
    return References(folder.path.parent)


def kinds(cleaning):
    return [(item.kind, item.path.relative_to(cleaning.folder.path.parent).as_posix()) for item in cleaning.items]


def everything(folder):
    return {
        path.relative_to(folder.path.parent): path.read_bytes()
        for path in folder.path.parent.rglob("*")
        if path.is_file()
    }


def aged(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (OLD, OLD))
    return path


@pytest.mark.parametrize(("keep", "going"), [(1, "012"), (2, "12"), (3, "2"), (None, "2")])
def test_weights_beyond_the_best(folder, references, keep, going):
    found = find(folder, references, keep)
    assert [path[-10:-5] for _, path in kinds(found)] == [f"0000{number}" for number in going]
    assert found.size == 200 * len(going)
    gone = clean(found, references)
    assert gone.items == found.items
    assert with_weights(folder) == {f"{n:05d}" for n in range(5)} - {f"0000{number}" for number in going}
    assert len(folder.retention_log.read_text().splitlines()) == len(going)
    assert find(folder, references, keep).items == ()


def test_as_many_are_kept_as_the_sweep_was_run_with(folder, references):
    folder.write({"created": "2026", **DEFINITION, "resources": {"keep": 1}})
    assert find(folder, references).keep == 1
    assert find(folder, references, 2).keep == 2


def test_what_another_sweep_stands_on_stays(folder, references):
    write_sweep(SweepFolder(folder.path.parent / "later"), pretext={"model": "../mine/trials/00001/best"})
    assert [path[-10:-5] for _, path in kinds(find(folder, references, 1))] == ["00000", "00002"]


def test_the_trial_of_the_promoted_model_stays(folder, references):
    folder.best.mkdir()
    (folder.best / "model.json").write_text('{"epoch": 7, "sweep": {"trial": "00000"}}')
    assert [path[-10:-5] for _, path in kinds(find(folder, references, 1))] == ["00001", "00002"]


def test_states_of_trials_that_have_ended(folder, references):
    for number in (1, 3):
        for name in ("state.pt", "state.pt.before"):
            (folder.trial(f"{number:05d}") / name).write_bytes(b"state")
    found = find(folder, references, 9)
    assert kinds(found)[1:] == [("state", f"mine/trials/00001/{name}") for name in ("state.pt", "state.pt.before")]
    clean(found, references)
    assert [path.parent.name for path in folder.path.rglob("state.pt*")] == ["00003", "00003"]


@pytest.mark.parametrize("state", ["RUNNING", "PAUSED"])
def test_a_trial_that_may_be_resumed_stays_as_it_is(folder, references, state):
    folder.trials_table.write_text(TABLE.replace("PRUNED,asha", f"{state},"))
    (folder.trial("00001") / "state.pt").write_bytes(b"state")
    clean(find(folder, references, 1), references)
    assert with_weights(folder) == {"00001", "00003", "00004"}
    assert (folder.trial("00001") / "state.pt").exists()


def test_leftovers_of_writers_that_died(folder, references):
    trial = folder.trial("00000")
    torn = aged(folder.path / ".trials.csv.abcd_123")
    aged(trial / ".best.abcdefgh" / "model.json")
    aged(trial / ".best.abcdefgh.old" / "heads.safetensors")
    only = aged(folder.trial("00009") / ".best.abcdefgh.old" / "model.json")
    for left in (trial / ".best.abcdefgh", trial / ".best.abcdefgh.old", only.parent):
        os.utime(left, (OLD, OLD))
    young = folder.path / ".sweep.toml.abcdefgh"
    young.write_text("")
    others = [aged(folder.path / name) for name in (".hidden", ".best.ABCDEFGH", ".x.abcdefghi", "best.abcdefgh")]
    found = find(folder, references, 9)
    assert [path for kind, path in kinds(found) if kind == "leftover"] == [
        "mine/.trials.csv.abcd_123",
        "mine/trials/00000/.best.abcdefgh",
        "mine/trials/00000/.best.abcdefgh.old",
    ]
    clean(found, references)
    assert all(path.exists() for path in (only, young, *others))
    assert not torn.exists()
    assert sorted(path.name for path in trial.iterdir()) == ["best"]


def test_a_lock_that_nobody_holds(folder, references):
    folder.lock.write_text("{}")
    found = find(folder, references, 9)
    assert ("lock", ".mine.lock") in kinds(found)
    assert ("lock", ".mine.lock") in kinds(clean(found, references))
    assert not folder.lock.exists()


def test_a_running_sweep_is_left_alone(folder, references):
    shown = find(folder, references, 1)
    before = everything(folder)
    with driving(folder.lock):
        assert "is being run by process" in find(folder, references, 1).skipped
        assert find(folder, references, 1).items == ()
        with pytest.raises(InputError, match="Stop it with Ctrl-C"):
            find_entirely([folder], references)
        # It began between the question and the answer.
        late = clean(shown, references)
        assert (late.items, "being run already" in late.skipped) == ((), True)
    assert everything(folder) == before


def test_what_became_needed_after_it_was_shown_stays(folder, references):
    shown = find(folder, references, 1)
    write_sweep(SweepFolder(folder.path.parent / "later"), pretext={"model": "../mine/trials/00001/best"})
    assert [path[-10:-5] for _, path in kinds(clean(shown, references))] == ["00000", "00002"]
    assert with_weights(folder) == {"00001", "00003", "00004"}


def test_a_whole_sweep(folder, references):
    other = write_sweep(SweepFolder(folder.path.parent / "other"))
    (found,) = find_entirely([folder], references)
    assert found.size == sum(map(len, everything(folder).values())) - len(other.definition.read_bytes())
    clean(found, references)
    assert [path.name for path in folder.path.parent.iterdir()] == ["other"]


def test_a_whole_sweep_that_is_needed_is_refused_unless_all_go(folder, references):
    later = write_sweep(SweepFolder(folder.path.parent / "later"), pretext={"model": "../mine/best"})
    with pytest.raises(InputError, match="mine is needed by later"):
        find_entirely([folder], references)
    assert len(find_entirely([folder, later], references)) == 2


def test_an_interrupted_removal_leaves_a_sweep(folder, references, monkeypatch):
    import shutil

    def killed(path):
        raise KeyboardInterrupt

    found = find_entirely([folder], references)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            clean(found[0], references)
    assert folder.read()["sweep"]["stage"] == "pretext"
    clean(find_entirely([folder], references)[0], references)
    assert not folder.path.exists()


@pytest.mark.parametrize("content", [None, "created = '2026'\n"])
def test_something_else_is_never_touched(tmp_path, content):
    place = tmp_path / "results" / "photos"
    aged(place / ".best.abcdefgh" / "x")
    folder, references = SweepFolder(place), References(place.parent)
    if content is None:
        for look in (lambda: find(folder, references), lambda: find_entirely([folder], references)):
            with pytest.raises(InputError, match="not a sweep"):
                look()
    else:
        folder.definition.write_text(content)
        assert find(folder, references).items == ()


def test_a_link_to_a_sweep_is_not_followed(folder, references):
    link = SweepFolder(folder.path.parent / "link")
    link.path.symlink_to(folder.path)
    with pytest.raises(InputError, match="is a link"):
        find_entirely([link], references)
