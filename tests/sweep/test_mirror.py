"""A sweep's folder and what lies at its URI."""

import os

import pytest

from ecgtune.remote import Remote, uri_of
from ecgtune.sweep import remote_lock
from ecgtune.sweep.lock import driving
from ecgtune.sweep.mirror import SweepMirror, upload_model
from ecgtune.sweep.remote_lock import RemoteLock
from ecgtune.sweep.remote_results import mirror_folder, refreshed, results_place


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
    write(mirror, "study.log", "1")
    write(mirror, "trials.csv", "1")
    mirror.push()
    write(mirror, "study.log", "12")
    write(mirror, "extra", "12")
    mirror.pull()
    assert here(mirror) == {"study.log": "12", "trials.csv": "1", "extra": "12"}
    elsewhere.pull()
    write(elsewhere, "study.log", "1xyz")
    elsewhere.push()
    mirror.pull()
    assert here(mirror) == {"study.log": "1xyz", "trials.csv": "1"}, "all as they left it, not a mixture"


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


def test_the_lock_of_a_dead_process_of_this_machine_holds_nobody_up(bucket, monkeypatch):
    remote = Remote(bucket.uri())
    RemoteLock(remote, "s").take()
    monkeypatch.setattr(remote_lock, "alive", lambda pid: False)
    assert RemoteLock(remote, "s").owner() is None
    RemoteLock(remote, "s").take()
