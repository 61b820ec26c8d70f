"""A sweep's folder and what lies at its URI."""

import hashlib
import json
import os
import time

import pytest
import tomli_w

from ecgtune.errors import EcgtuneError, InputError
from ecgtune.remote import Remote, RemoteError
from ecgtune.sweep import remote_lock
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.lock import driving
from ecgtune.sweep.mirror import SweepMirror
from ecgtune.sweep.mirror_memory import MirrorMemory
from ecgtune.sweep.remote_lock import RemoteLock
from ecgtune.sweep.remote_model import is_whole, upload_model
from ecgtune.sweep.remote_results import bring_definitions, bring_trials, mirror_folder, refreshed, results_place
from ecgtune.sweep.storage import RemoteStorage
from ecgtune.sweep.uploader import Uploader
from ecgtune.uri import uri_of


@pytest.fixture
def mirror(bucket, tmp_path):
    return SweepMirror(tmp_path / "one" / "s", Remote(bucket.uri()))


@pytest.fixture
def elsewhere(bucket, tmp_path):
    return SweepMirror(tmp_path / "two" / "s", Remote(bucket.uri()))


def write(mirror, name, content):
    path = mirror.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def here(mirror):
    files = (path for path in mirror.folder.rglob("*") if path.is_file())
    return {path.relative_to(mirror.folder).as_posix(): path.read_text() for path in files}


def test_what_one_machine_pushes_another_pulls(mirror, elsewhere, bucket):
    for name in ("sweep.toml", "study.log", "tensorboard/sweep/events", "best/model.json", "best/encoder.safetensors"):
        write(mirror, name, name)
    for name in (".torn", "study.log.lock", "trials/00000/state.pt", "best/.x"):
        write(mirror, name, "stays")
    mirror.push()
    elsewhere.pull()
    assert here(elsewhere).keys() == {
        *("sweep.toml", "study.log", "tensorboard/sweep/events", "best/model.json", "best/encoder.safetensors")
    }
    assert all(name == content for name, content in here(elsewhere).items())


def test_only_what_has_changed_travels(mirror, elsewhere, monkeypatch):
    write(mirror, "sweep.toml", "a")
    write(mirror, "trials.csv", "b")
    mirror.push()
    elsewhere.pull()
    sent, brought = [], []
    put, get = Remote.write, Remote.download
    monkeypatch.setattr(Remote, "write", lambda self, name, content: (sent.append(name), put(self, name, content)))
    monkeypatch.setattr(Remote, "download", lambda self, name, path: (brought.append(name), get(self, name, path)))
    mirror.push()
    elsewhere.pull()
    assert (sent, brought) == ([], [])
    write(mirror, "trials.csv", "bb")
    mirror.push()
    elsewhere.pull()
    assert (sent, brought) == (["s/trials.csv"], ["s/trials.csv"])


def test_what_a_dead_driver_did_not_upload_stays_unless_somebody_else_went_on(mirror, elsewhere):
    write(mirror, "sweep.toml", "1")
    write(mirror, "study.log", "1")
    write(mirror, "trials.csv", "1")
    mirror.push()
    write(mirror, "study.log", "12")
    write(mirror, "extra", "12")
    mirror.pull()
    assert here(mirror) == {"sweep.toml": "1", "study.log": "12", "trials.csv": "1", "extra": "12"}
    elsewhere.pull()
    write(elsewhere, "study.log", "1xyz")
    elsewhere.push()
    mirror.pull()
    assert here(mirror) == {"sweep.toml": "1", "study.log": "1xyz", "trials.csv": "1"}, (
        "all as they left it, not a mixture"
    )


def test_a_sweep_that_was_never_uploaded_stays(mirror):
    write(mirror, "sweep.toml", "1")
    mirror.pull()
    assert here(mirror) == {"sweep.toml": "1"}


def test_the_study_never_knows_more_than_the_tables(mirror, bucket, monkeypatch):
    write(mirror, "sweep.toml", "x")
    write(mirror, "study.log", "1")
    write(mirror, "epochs.csv", "1")
    put = Remote.write

    def meanwhile(self, name, content):
        # The driver goes on while this is uploaded.
        write(mirror, "epochs.csv", "12")
        write(mirror, "study.log", "12")
        put(self, name, content)

    monkeypatch.setattr(Remote, "write", meanwhile)
    mirror.push()
    assert (bucket.read("results/s/epochs.csv"), bucket.read("results/s/study.log")) == (b"12", b"1")
    monkeypatch.undo()
    mirror.push()
    assert bucket.read("results/s/study.log") == b"12"


def test_a_model_that_is_replaced_while_it_is_uploaded_has_no_card(mirror, bucket, monkeypatch):
    write(mirror, "best/model.json", "1")
    write(mirror, "best/encoder.safetensors", "1")
    put = Remote.write
    monkeypatch.setattr(
        Remote, "write", lambda self, *given: (put(self, *given), write(mirror, "best/model.json", "22"))
    )
    assert not upload_model(mirror.remote, "s/best", mirror.folder / "best")
    assert bucket.names() == ["results/s/best/encoder.safetensors"]
    monkeypatch.undo()
    mirror.push()
    assert bucket.read("results/s/best/model.json") == b"22"


def test_a_model_that_is_made_again_has_no_note_that_it_is_gone(mirror, bucket):
    bucket.write("results/s/best/weights-removed.txt", b"its weights were removed")
    write(mirror, "best/model.json", "1")
    write(mirror, "best/encoder.safetensors", "1")
    assert upload_model(mirror.remote, "s/best", mirror.folder / "best")
    assert bucket.names() == ["results/s/best/encoder.safetensors", "results/s/best/model.json"]


def model_of(epoch):
    weights = f"weights of {epoch}".encode()
    card = {"epoch": epoch, "files": {"z.safetensors": {"sha256": hashlib.sha256(weights).hexdigest()}}}
    return {"z.safetensors": weights, "model.json": json.dumps(card).encode()}


@pytest.mark.parametrize("after", ["z.safetensors", "model.json"])
def test_a_fetched_card_is_that_of_its_weights(mirror, bucket, monkeypatch, after):
    def upload(epoch):
        for name, content in model_of(epoch).items():
            bucket.write(f"results/s/trials/1/best/{name}", content)

    upload(1)
    get, brought = Remote.download, []

    def meanwhile(self, name, path):
        found = get(self, name, path)
        if name.endswith(after) and not brought:
            upload(2)
        brought.append(name)
        return found

    monkeypatch.setattr(Remote, "download", meanwhile)
    mirror.fetch("trials/1/best")
    assert brought[:2] == ["s/trials/1/best/z.safetensors", "s/trials/1/best/model.json"]
    assert is_whole(mirror.folder / "trials/1/best")


def test_cards_and_predictions_come_without_weights(bucket, monkeypatch, tmp_path):
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path))
    for name in ("best/model.json", "best/predictions.csv", "best/encoder.safetensors", "state.pt"):
        bucket.write(f"results/s/trials/00000/{name}", b"x")
    results = results_place(bucket.uri())
    with driving(results / ".s.lock"):
        bring_trials(results, "s")
    assert not (results / "s").exists()
    bring_trials(results, "s", weights=False)
    assert here(SweepMirror(results / "s", None)).keys() == {
        "trials/00000/best/model.json",
        "trials/00000/best/predictions.csv",
    }


def test_what_is_asked_for_during_an_upload_waits_for_the_next():
    done = []

    class During:
        def push(self):
            if not done:
                uploader.never("7")
                uploader.later("7", lambda: done.append("new"))
                done.append("pushed")

    class Lock:
        def beat(self):
            pass

    uploader = Uploader(During(), Lock(), print, 1.0)
    uploader.later("7", lambda: done.append("old"))
    uploader._upload()
    assert done == ["pushed"]
    uploader._upload()
    assert done == ["pushed", "new"]


def test_a_part_is_fetched_as_it_is_there(mirror, bucket):
    bucket.write("results/s/trials/1/best/model.json", b"new")
    write(mirror, "trials/1/best/model.json", "old")
    write(mirror, "trials/1/best/gone", "old")
    write(mirror, "trials/1/state.pt", "old")
    mirror.fetch("trials/1/best")
    mirror.fetch("trials/1/state.pt")
    assert here(mirror) == {"trials/1/best/model.json": "new"}


def test_a_sweep_that_this_machine_drives_is_left_alone(bucket, monkeypatch, tmp_path):
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path))
    results = results_place(bucket.uri())
    assert results == mirror_folder(bucket.uri())
    assert uri_of(results) == bucket.uri()
    bucket.write("results/s/sweep.toml", b"there")
    with driving(results / ".s.lock"):
        refreshed(results)
    assert not (results / "s").exists()
    refreshed(results)
    assert (results / "s" / "sweep.toml").read_text() == "there"


def test_what_is_no_sweep_is_not_brought_here(bucket, monkeypatch, tmp_path):
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path))
    bucket.write("results/mitdb/windows.npy", b"large")
    bucket.write("results/s/sweep.toml", b"there")
    results = results_place(bucket.uri())
    refreshed(results)
    assert [path.name for path in results.iterdir() if path.is_dir()] == ["s"]


@pytest.fixture
def standing(bucket, monkeypatch, tmp_path):
    """A results folder with `e`, as it was when it stood on another trial of `p` than at the URI by now."""
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path))

    def stands_on(trial):
        content = {"sweep": {"stage": "emotion"}, "pretext": {"model": f"../p/trials/{trial}/best"}}
        bucket.write("results/e/sweep.toml", tomli_w.dumps(content).encode())

    bucket.write("results/p/sweep.toml", b"")
    for trial in ("00001", "00002"):
        bucket.write(f"results/p/trials/{trial}/best/encoder.safetensors", b"weights")
    results = results_place(bucket.uri())
    stands_on("00001")
    refreshed(results)
    stands_on("00002")
    return results


def test_what_a_sweep_stands_on_by_now_stays(standing, bucket):
    storage = RemoteStorage(SweepFolder(standing / "p"), bucket.uri())
    for trial in ("00001", "00002"):
        storage._remove_weights(trial, 3)
    left = [name for name in bucket.names("results/p/trials") if name.endswith(".safetensors")]
    assert left == ["results/p/trials/00002/best/encoder.safetensors"]


def test_a_definition_that_was_brought_here_leaves_no_phantom(standing, bucket):
    bucket.write("results/new/sweep.toml", b"there")
    bring_definitions(standing, Remote(bucket.uri()))
    assert (standing / "new" / "sweep.toml").read_text() == "there"
    bucket.remove("results/new/sweep.toml")
    refreshed(standing)
    assert not (standing / "new").exists()
    write(SweepMirror(standing / "e", Remote(bucket.uri())), "sweep.toml", "newer here")
    bring_definitions(standing, Remote(bucket.uri()))
    assert (standing / "e" / "sweep.toml").read_text() == "newer here"


def test_places_in_the_file_system_stay_what_they_are(tmp_path):
    assert results_place(f"file://{tmp_path}") == tmp_path
    assert str(results_place("a/b")) == "a/b"


def test_a_lock_ends_with_its_heartbeat(bucket, monkeypatch):
    remote = Remote(bucket.uri())
    first, second = RemoteLock(remote, "s"), RemoteLock(remote, "s")
    first.take()
    assert second.owner().pid == os.getpid()
    with pytest.raises(Exception, match="is being run already by process"):
        second.take()
    monkeypatch.setattr(remote_lock, "STALE_SECONDS", -1.0)
    second.take()
    with pytest.raises(Exception, match="s was taken over by process"):
        first.beat()
    first.release()
    assert bucket.names() == ["results/.s.lock"], "it is the other's by now"
    second.beat()
    second.release()
    assert bucket.names() == []
    assert second.owner() is None


def test_a_driver_that_slept_overwrites_nothing(bucket, monkeypatch, mirror, elsewhere):
    asleep, awake = RemoteLock(mirror.remote, "s"), RemoteLock(elsewhere.remote, "s")
    asleep.take()
    for name in ("sweep.toml", "study.log", "trials.csv"):
        write(mirror, name, "1")
    mirror.push()
    with monkeypatch.context() as patched:
        patched.setattr(remote_lock, "STALE_SECONDS", -1.0)
        awake.take()
    elsewhere.pull()
    for name in ("study.log", "trials.csv"):
        write(elsewhere, name, "12, finished")
    elsewhere.push()
    awake.release()
    for name in ("study.log", "trials.csv"):
        write(mirror, name, "1, stale")
    with pytest.raises(EcgtuneError, match="s was taken over by another driver, which has ended"):
        asleep.beat()
    with pytest.raises(EcgtuneError, match="s was taken over by another driver"):
        mirror.push()
    assert bucket.names() == ["results/s/study.log", "results/s/sweep.toml", "results/s/trials.csv"]
    assert bucket.read("results/s/trials.csv") == bucket.read("results/s/study.log") == b"12, finished"


def test_whose_answer_was_lost_goes_on(bucket, mirror, monkeypatch):
    write(mirror, "sweep.toml", "1")
    write(mirror, "study.log", "1")
    mirror.push()
    write(mirror, "study.log", "12")
    known = Remote.stamp
    lost = iter([known(mirror.remote, "s/study.log")])

    def refuse(self, name):
        if (answer := next(lost, None)) is None:
            raise RemoteError("gone", passing=True)
        return answer

    with monkeypatch.context() as patched, pytest.raises(RemoteError):
        patched.setattr(Remote, "stamp", refuse)
        mirror.push()
    assert bucket.read("results/s/study.log") == b"12"
    write(mirror, "study.log", "123")
    mirror.push()
    assert bucket.read("results/s/study.log") == b"123"


def test_a_driver_lives_while_something_takes_long(bucket, monkeypatch):
    monkeypatch.setattr(remote_lock, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(remote_lock, "STALE_SECONDS", 1.5)
    remote = Remote(bucket.uri())
    with RemoteLock(remote, "s").holding():
        time.sleep(2.0)
        with pytest.raises(InputError, match="is being run already"):
            RemoteLock(remote, "s").take()
    assert bucket.names() == []


def test_a_driver_that_was_killed_amid_an_upload_keeps_what_is_newer_here(bucket, mirror, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    for name in ("sweep.toml", "study.log", "trials.csv", "best/model.json"):
        write(mirror, name, "1")
    mirror.push()
    for name in ("epochs.csv", "study.log", "trials.csv", "best/model.json"):
        write(mirror, name, "12")
    for part in ("uploaded", "remember"):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(MirrorMemory, part, killed)
            mirror.push()
        assert b"12" in [bucket.read(f"results/s/{name}") for name in ("epochs.csv", "trials.csv")]
        mirror.pull()
        assert {name: text for name, text in here(mirror).items() if text == "1"} == {"sweep.toml": "1"}
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(
            "ecgtune.sweep.mirror.upload_model", lambda remote, name, _: remote.remove(f"{name}/model.json") or killed()
        )
        mirror.push()
    assert "results/s/best/model.json" not in bucket.names()
    mirror.pull()
    mirror.push()
    assert bucket.read("results/s/best/model.json") == bucket.read("results/s/study.log") == b"12"


def test_the_lock_of_a_dead_process_of_this_machine_holds_nobody_up(bucket, monkeypatch):
    remote = Remote(bucket.uri())
    RemoteLock(remote, "s").take()
    monkeypatch.setattr(remote_lock, "alive", lambda pid: False)
    assert RemoteLock(remote, "s").owner() is None
    RemoteLock(remote, "s").take()


@pytest.mark.parametrize("other", [{"machine": "another"}, {"machine": ""}])
def test_a_machine_of_the_same_name_is_another(bucket, monkeypatch, other):
    remote = Remote(bucket.uri())
    RemoteLock(remote, "s").take()
    note = json.loads(bucket.read("results/.s.lock"))
    bucket.write("results/.s.lock", json.dumps({**note, **other}).encode())
    monkeypatch.setattr(remote_lock, "alive", lambda pid: False)
    with pytest.raises(InputError, match="is being run already"):
        RemoteLock(remote, "s").take()


@pytest.mark.parametrize("back", [False, True])
def test_a_best_model_that_never_came_is_told_at_the_end(bucket, monkeypatch, tmp_path, back):
    def gone(self, below):
        raise RemoteError("the store is gone.", passing=True)

    storage = RemoteStorage(SweepFolder(tmp_path / "s"), bucket.uri())
    bucket.write("results/s/sweep.toml", b"there")

    def drive():
        with storage.driving(print):
            with monkeypatch.context() as patched, pytest.raises(RemoteError):
                patched.setattr(SweepMirror, "_below", gone)
                storage.fetch("00000", "best")
            if back:
                storage.fetch("00000", "best")
            write(storage._mirror, "trials.csv", "the last")

    if back:
        drive()
    else:
        with pytest.raises(EcgtuneError, match=r"could not be copied to best/: the store is gone\. `--resume` copies"):
            drive()
    assert bucket.read("results/s/trials.csv") == b"the last"
    assert "results/.s.lock" not in bucket.names()


def test_a_driver_that_slept_before_it_began_removes_nothing(bucket, tmp_path):
    storage = RemoteStorage(SweepFolder(tmp_path / "s"), bucket.uri())

    def drive():
        with storage.driving(print):
            bucket.remove("results/.s.lock")  # Another one has taken over and ended.
            bucket.write("results/s/sweep.toml", b"of the other")
            storage.clear()

    with pytest.raises(EcgtuneError, match="s was taken over by another driver"):
        drive()
    assert bucket.read("results/s/sweep.toml") == b"of the other"


def test_uploads_that_take_long_are_not_put_off_for_long(monkeypatch):
    waited, now = [], iter(range(0, 10_000, 100))
    uploader = Uploader(None, None, print, 1.0)
    monkeypatch.setattr(uploader, "_upload", lambda: None)
    monkeypatch.setattr("ecgtune.sweep.uploader.time.monotonic", lambda: next(now))
    monkeypatch.setattr(uploader._over, "wait", lambda _: None)
    monkeypatch.setattr(
        uploader._wake, "wait", lambda pause: (waited.append(pause), len(waited) == 3 and uploader._over.set())
    )
    uploader._live()
    assert waited == [3.0, 15.0, 15.0]
