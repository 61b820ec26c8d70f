"""Commands on results that lie at a URI."""

import json

import pytest
import tomli_w

from ecgtune.cli import clean
from ecgtune.cli.dashboard import log_arguments
from ecgtune.remote import Remote
from ecgtune.sweep.folder import find_pretext_model
from ecgtune.sweep.remote_lock import RemoteLock
from ecgtune.sweep.remote_results import results_place

TABLE = """trial_id,state,reason,epochs,best_epoch,seconds,val_loss
00000,COMPLETE,,2,2,1.0,0.3
00001,COMPLETE,,2,1,1.0,0.1
00002,PRUNED,asha,1,1,1.0,0.2
"""


@pytest.fixture
def uri(bucket, monkeypatch, tmp_path):
    """A finished pretext sweep `p`, and an emotion sweep `e` that stands on its trial 00000."""
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    common = {"created": "2030-01-01", "state": "finished", "job": {"max_epochs": 2}}
    settings = {"stage": "pretext", "metric": "val_loss", "mode": "min", "num_samples": 3}
    bucket.write("results/p/sweep.toml", tomli_w.dumps({**common, "sweep": settings}).encode())
    bucket.write("results/p/trials.csv", TABLE.encode())
    bucket.write("results/p/epochs.csv", b"trial_id,epoch,val_loss\n")
    bucket.write("results/p/tensorboard/sweep/events", b"x")
    card = {"epoch": 1, "sweep": {"name": "p", "trial": "00001"}}
    for place in ("best", "trials/00001/best", "trials/00000/best", "trials/00002/best"):
        bucket.write(f"results/p/{place}/model.json", json.dumps(card).encode())
        bucket.write(f"results/p/{place}/encoder.safetensors", b"weights")
    stands = {"model": "../p/trials/00000/best", "sweep_name": "p", "sweep_trial": "00000"}
    emotion = {**common, "sweep": {**settings, "stage": "emotion"}, "pretext": stands}
    bucket.write("results/e/sweep.toml", tomli_w.dumps(emotion).encode())
    return bucket.uri()


def test_status_and_list_show_what_is_there(run_cli, uri, bucket):
    shown = json.loads(run_cli("status", "p", "--results", uri, "--json").stdout)
    assert (shown["state"], shown["best"]["trial_id"], shown["owner"]) == ("finished", "00001", None)
    assert [one["name"] for one in json.loads(run_cli("list", "--results", uri, "--json").stdout)] == ["e", "p"]
    RemoteLock(Remote(uri), "p").take()
    assert json.loads(run_cli("status", "p", "--results", uri, "--json").stdout)["state"] == "running"


def test_a_sweep_that_was_interrupted_is_resumed_by_its_uri(run_cli, uri, bucket):
    found = bucket.read("results/p/sweep.toml").replace(b"finished", b"interrupted")
    bucket.write("results/p/sweep.toml", found)
    assert f"sweep pretext --name p --results '{uri}' --resume" in run_cli("status", "p", "--results", uri).stdout


def test_clean_removes_there_what_nothing_stands_on(run_cli, uri, bucket):
    done = run_cli("clean", "p", "--keep", "1", "--yes", "--results", uri)
    assert done.exit_code == 0, done.stderr
    left = [name.split("/")[3] for name in bucket.names("results/p/trials") if name.endswith(".safetensors")]
    assert left == ["00000", "00001"], "the best, and what the emotion sweep stands on"
    assert b"its weights were removed" in bucket.read("results/p/trials/00002/best/weights-removed.txt")
    assert bucket.read("results/p/retention.log").count(b"00002") == 2
    refused = run_cli("clean", "p", "--entirely", "--yes", "--results", uri)
    assert (refused.exit_code, "is needed by e" in refused.stderr) == (2, True)
    assert run_cli("clean", "p", "e", "--entirely", "--yes", "--results", uri).exit_code == 0
    assert bucket.names("results") == []


def test_clean_does_not_touch_what_came_after_it_looked(run_cli, uri, bucket, monkeypatch):
    """Another machine runs the sweep on while the user thinks about what is shown."""

    def meanwhile(found):
        bucket.write("results/p/trials.csv", (TABLE + "00003,COMPLETE,,2,1,1.0,0.05\n").encode())
        for name in ("model.json", "encoder.safetensors"):
            bucket.write(f"results/p/trials/00003/best/{name}", b"new")
        bucket.write("results/p/trials/00001/best/model.json", b"a later epoch")
        bucket.write("results/e/sweep.toml", bucket.read("results/e/sweep.toml").replace(b"00000", b"00002"))
        return False

    show = clean._show
    monkeypatch.setattr("ecgtune.cli.clean._show", lambda found, place: (show(found, place), meanwhile(found)))
    done = run_cli("clean", "p", "--keep", "1", "--yes", "--results", uri)
    assert done.exit_code == 0, done.stderr
    assert bucket.read("results/p/trials/00003/best/encoder.safetensors") == b"new"
    assert bucket.read("results/p/trials/00001/best/model.json") == b"a later epoch"
    assert "results/p/trials/00002/best/encoder.safetensors" in bucket.names(), "e stands on it by now"
    assert b"00003" in bucket.read("results/p/trials.csv")


def test_clean_leaves_a_sweep_alone_that_is_driven_elsewhere(run_cli, uri, bucket):
    before = bucket.names()
    RemoteLock(Remote(uri), "p").take()
    done = run_cli("clean", "p", "--keep", "1", "--yes", "--results", uri)
    assert "p is left alone: it is being run by process" in done.stderr
    assert bucket.names() == ["results/.p.lock", *before]


def test_a_pretext_model_comes_with_the_trial_it_was_copied_from(uri):
    results = results_place(uri)
    for wanted in ("p", None):
        model = find_pretext_model(results, wanted)
        assert model == results / "p" / "best"
    assert (model / "encoder.safetensors").read_bytes() == b"weights"
    assert (results / "p" / "trials" / "00001" / "best" / "encoder.safetensors").is_file()
    assert not (results / "p" / "trials" / "00002").exists()


def test_an_emotion_sweep_comes_with_the_model_that_it_stands_on(run_cli, uri):
    run_cli("status", "e", "--results", uri)
    assert (results_place(uri) / "p" / "trials" / "00000" / "best" / "encoder.safetensors").is_file()


def test_the_dashboard_shows_what_is_there(uri):
    (_, place) = log_arguments(results_place(uri), ["p"])
    assert (results_place(uri) / "p" / "tensorboard") == type(results_place(uri))(place)
    assert (results_place(uri) / "p" / "tensorboard" / "sweep" / "events").is_file()


@pytest.mark.parametrize("command", [("status", "p"), ("list",), ("clean",), ("evaluate", "p"), ("dashboard",)])
def test_a_bucket_that_is_not_there_is_told(run_cli, uri, bucket, command):
    done = run_cli(*command, "--results", uri.replace(bucket.name, "no-such-bucket"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "error: s3://no-such-bucket/results: there is no such bucket" in done.stderr
