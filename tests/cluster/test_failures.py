"""Nodes that die, come, are cut off and heal; a head that dies. Figures: no trial lost, one epoch repeated at most."""

import csv
import json
import subprocess
import sys
from collections import Counter

import pytest

from tests.cluster.local import LocalCluster, wait_for
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.ray]
# Longer than a new worker needs to start, also on a busy machine: else the old ones would take its work.
SWEEP = {"trials": 4, "epochs": 40, "seconds": 0.25}
SHORT = {"trials": 3, "epochs": 16, "seconds": 0.25}


class Driver:
    """A sweep of paced trials in a process of its own."""

    def __init__(self, cluster, name, *more, sweep=SWEEP, **environment):
        self.sweep, self.folder = sweep, cluster.place / name
        self.folder.mkdir(exist_ok=True)
        self.printed = self.folder / "printed.txt"
        command = [sys.executable, "-m", "tests.cluster.paced", str(self.folder), cluster.address, json.dumps(sweep)]
        with self.printed.open("a") as out:
            env = cluster.env | {"PYTHONPATH": str(ROOT)} | environment
            self.process = subprocess.Popen([*command, *more], cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT)

    @property
    def begun(self):
        """The epochs that were begun so far."""
        log = self.folder / "epochs.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def wait_until_it_runs_on(self, nodes):
        def ready():
            assert self.process.poll() is None, self.printed.read_text()
            return len({each["node"] for each in self.begun if each["epoch"] >= 3}) >= nodes

        wait_for(f"epochs on {nodes} nodes", ready)

    def says(self, text):
        wait_for(text, lambda: text in self.printed.read_text() or self.process.poll() is not None)
        assert text in self.printed.read_text()

    def end(self):
        return self.process.wait(timeout=120)

    def rows(self, name):
        with (self.folder / "results" / "paced" / name).open() as file:
            return list(csv.DictReader(file))

    def require_whole(self, lost):
        """Every trial complete, no epoch twice in the tables, and at most one repeated for each lost worker."""
        assert [row["state"] for row in self.rows("trials.csv")] == ["COMPLETE"] * self.sweep["trials"]
        told = Counter((row["trial_id"], row["epoch"]) for row in self.rows("epochs.csv"))
        assert set(told.values()) == {1}
        assert len(told) == self.sweep["trials"] * self.sweep["epochs"]
        trained = Counter((each["lr"], each["epoch"]) for each in self.begun)
        assert len(trained) == self.sweep["trials"] * self.sweep["epochs"]
        assert sum(trained.values()) - len(trained) <= lost


@pytest.fixture
def cluster():
    """A head that trains nothing, and two nodes of one core."""
    with LocalCluster(cpus=0) as running:
        running.first, running.second = running.add(), running.add()
        yield running


def test_a_node_dies_and_a_new_one_takes_its_place(cluster):
    driver = Driver(cluster, "killed")
    driver.wait_until_it_runs_on(2)
    before = {each["node"] for each in driver.begun}
    cluster.first.kill()
    driver.says("lost its worker; another one goes on from its last state")
    cluster.add()
    assert driver.end() == 0, driver.printed.read_text()
    driver.require_whole(lost=1)
    assert {each["node"] for each in driver.begun} - before, "the node that joined has had no work"


def test_a_node_is_cut_off_and_heals(cluster):
    driver = Driver(cluster, "cut")
    driver.wait_until_it_runs_on(2)
    cluster.first.cut_off()
    driver.says("lost its worker")
    cluster.first.heal()
    # A node that was taken for dead ends itself, its workers included: nobody goes on with a trial that is elsewhere.
    wait_for("the node's end", lambda: cluster.first.process.poll() is not None)
    cluster.add()
    assert driver.end() == 0, driver.printed.read_text()
    driver.require_whole(lost=1)


def test_the_head_dies_and_comes_back():
    with LocalCluster() as cluster:
        cluster.add()
        driver = Driver(cluster, "head", sweep=SHORT, RAY_gcs_rpc_server_reconnect_timeout_s="15")
        driver.wait_until_it_runs_on(2)
        for node in cluster.nodes:
            node.kill()
        driver.says("no longer answers")
        assert driver.end() == 1
        assert "Traceback" not in driver.printed.read_text()
        known = driver.rows("epochs.csv")
        cluster.start_head()
        cluster.add()
        resumed = Driver(cluster, "head", "--resume", sweep=SHORT)
        assert resumed.end() == 0, resumed.printed.read_text()
        resumed.require_whole(lost=2)
        assert resumed.rows("epochs.csv")[: len(known) - 2] == known[: len(known) - 2]
