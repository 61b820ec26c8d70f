"""Exit codes, and sweeps sent to a real head with its dashboard and token authentication."""

import csv
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import requests

from ecgtune.cluster.jobs import Jobs, SweepJob
from ecgtune.errors import EcgtuneError
from tests.cluster.local import LocalCluster, wait_for


def job(state, exit_code=None):
    return SweepJob("s-1", "s", "pretext", "/r", state, "2026-01-01T00:00:00+00:00", 1.0, exit_code, "")


@pytest.mark.parametrize(
    ("state", "exit_code", "ours"),
    [
        ("SUCCEEDED", 0, 0),
        ("FAILED", 1, 1),
        ("FAILED", 2, 2),
        ("FAILED", 130, 130),
        ("FAILED", -9, 1),
        ("FAILED", 127, 1),
        ("FAILED", None, 1),
        ("STOPPED", None, 130),
        ("STOPPED", -15, 130),
    ],
)
def test_a_jobs_end_becomes_our_exit_code(state, exit_code, ours):
    assert job(state, exit_code).ecgtune_code == ours


class Client:
    """A dashboard whose line is cut at some points of a job's log."""

    def __init__(self, log, cuts, error=None):
        self.log, self.cuts, self.error = log, list(cuts), error

    async def tail_job_logs(self, job):
        until = self.cuts.pop(0)
        for start in range(0, until, 4):
            yield self.log[start : min(start + 4, until)]
        if until < len(self.log):
            raise RuntimeError("WebSocket connection closed unexpectedly")

    def list_jobs(self):
        if self.error:
            raise self.error
        state = "RUNNING" if self.cuts else "SUCCEEDED"
        details = {"submission_id": "s-1", "metadata": {"ecgtune": "1", "sweep": "s"}, "status": state}
        return [SimpleNamespace(**details, start_time=1, end_time=2, driver_exit_code=0, message="")]


def jobs(monkeypatch, client):
    monkeypatch.setattr("ecgtune.cluster.jobs.connect", lambda address: ("http://there:8265", client))
    monkeypatch.setattr("ecgtune.cluster.jobs._POLL_SECONDS", 0)
    return Jobs(None)


def test_a_log_is_passed_on_once_though_the_line_is_cut(monkeypatch):
    log, heard = "one\ntwo\nthree\nfour\n", []
    found = jobs(monkeypatch, Client(log, [0, 6, 6, 15, len(log)])).follow("s-1", heard.append)
    assert "".join(heard) == log
    assert found.state == "SUCCEEDED"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.ConnectionError("a page"), "http://there:8265 no longer answers (ConnectionError)"),
        (
            RuntimeError("Request failed with status code 400: x.\na page"),
            "refused: Request failed with status code 400: x.",
        ),
        (
            RuntimeError("Request failed with status code 500: x.\na page"),
            "no longer answers (RuntimeError). The sweep's files are where they were; once the cluster is back",
        ),
    ],
)
def test_a_cluster_that_goes_away_is_one_message(monkeypatch, error, said):
    with pytest.raises(EcgtuneError) as caught:
        jobs(monkeypatch, Client("", [0], error)).list()
    assert said in str(caught.value)
    assert "page" not in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("state", "exit_code", "printed", "said"),
    [
        ("FAILED", 1, "begun\nerror: one\nerror: two\nparts\n", "error: two"),
        ("FAILED", 1, "begun\nKilled\n\n", "Killed"),
        ("FAILED", None, "", "error: no place for it"),
        ("SUCCEEDED", 0, "error: one\n", ""),
    ],
)
def test_why_a_job_failed_is_a_line(monkeypatch, state, exit_code, printed, said):
    client = Client("", [])
    client.get_job_logs = lambda job: printed
    assert jobs(monkeypatch, client).complaint(replace(job(state, exit_code), message="no\nplace for it")) == said


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(dashboard=True) as running:
        yield running


def submit(cluster, *words, options=()):
    return cluster.run("ecgtune", "submit", "--address", cluster.url, *options, "--", "sweep", "pretext", *words)


def trials(cluster, name):
    with (cluster.place / "results" / name / "trials.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"RAY_AUTH_MODE": ""}, "RAY_AUTH_MODE is not set to token"),
        ({"RAY_AUTH_TOKEN": "f" * 64}, "does not take this token (from RAY_AUTH_TOKEN)"),
        ({"HOME": "/nonexistent"}, "no token can be read from ~/.ray/auth_token"),
    ],
)
@pytest.mark.parametrize("way", ["submit", "drive"])
def test_a_missing_or_wrong_token_is_one_message(cluster, settings, said, way):
    words = ("sweep", "pretext", "--results", "results")
    command = {
        "submit": ("submit", "--address", cluster.url, "--", *words),
        "drive": (*words, "--address", cluster.address),
    }[way]
    ran = cluster.run("ecgtune", *command, **settings, ECGTUNE_CACHE=str(cluster.place / "home" / "cache"))
    assert ran.returncode == 2, ran.stderr
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("error: ")]
    assert said in line
    assert "Traceback" not in ran.stderr
    assert "f" * 64 not in ran.stderr + ran.stdout


@pytest.mark.slow
@pytest.mark.ray
def test_a_sweep_is_sent_stopped_and_resumed(cluster, make_dataset):
    data = make_dataset().folder
    words = ("--data", data, "--results", "results", "--name", "there", "--num-samples", 3, "--max-epochs", 4)
    sent = submit(cluster, *words, "--space", "smoke", options=["--no-wait"])
    assert sent.returncode == 0, sent.stderr
    name = sent.stdout.strip()
    assert re.search(r"files, [01]\.\d MB", sent.stderr), sent.stderr
    for way in (f"jobs {name} --follow", f"stop {name}", "sweep pretext --name there"):
        assert way in sent.stderr
    wait_for("an epoch", lambda: (cluster.place / "results" / "there" / "epochs.csv").exists())
    stopped = cluster.run("ecgtune", "stop", "there", "--address", cluster.url)
    assert stopped.returncode == 0, stopped.stderr
    assert f"{name}: stopped" in stopped.stderr
    assert 'state = "interrupted"' in (cluster.place / "results" / "there" / "sweep.toml").read_text()
    followed = cluster.run("ecgtune", "jobs", name, "--follow", "--address", cluster.url)
    assert followed.returncode == 130
    assert "trial 00000 started" in followed.stdout

    resumed = submit(cluster, "--results", "results", "--name", "there", "--resume")
    assert resumed.returncode == 0, resumed.stderr + resumed.stdout
    assert "there finished: 3 trials" in resumed.stdout
    assert [row["state"] in ("COMPLETE", "PRUNED") for row in trials(cluster, "there")] == [True] * 3

    listed = json.loads(cluster.run("ecgtune", "jobs", "--json", "--address", cluster.url).stdout)
    assert [(each["sweep"], each["state"]) for each in listed] == [("there", "STOPPED"), ("there", "SUCCEEDED")]
    # Neither the log of a job nor anything that a sweep leaves holds the token.
    whole = [path.read_bytes() for path in (cluster.place / "results").rglob("*") if path.is_file()]
    logs = [path.read_bytes() for path in cluster.head.temp.glob("session_2*/logs/job-driver*")]
    assert logs
    assert not [text for text in whole + logs if cluster.token.encode() in text]


@pytest.mark.slow
@pytest.mark.ray
def test_a_mistake_is_told_here_or_there_with_exit_code_2(cluster):
    typed = submit(cluster, "--max-epocs", 2)
    assert (typed.returncode, "--max-epocs" in typed.stderr) == (2, True)
    assert not cluster.run("ecgtune", "jobs", "nothing", "--address", cluster.url).stdout
    there = submit(cluster, "--data", "nowhere", "--results", "results", "--name", "lost")
    assert there.returncode == 2
    assert f"there is no folder {cluster.place / 'nowhere'}; a data-set folder is needed" in there.stdout
    assert "Traceback" not in there.stdout
    listed = cluster.run("ecgtune", "jobs", "lost", "--address", cluster.url)
    assert "nowhere; a data-set folder is needed" in listed.stdout
