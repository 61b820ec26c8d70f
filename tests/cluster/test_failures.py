"""Nodes that die, come, hang and wake; a head that dies. Figures: no trial lost, one epoch repeated at most."""

import pytest

from tests.cluster.driver import Driver
from tests.cluster.local import LocalCluster, wait_for
from tests.cluster.network import why_no_network

pytestmark = [pytest.mark.slow, pytest.mark.ray]
# Longer than a new worker needs to start, also on a busy machine: else the old ones would take its work.
SWEEP = {"trials": 4, "epochs": 40, "seconds": 0.25}
SHORT = {"trials": 3, "epochs": 16, "seconds": 0.25}


@pytest.fixture
def cluster():
    """A head that trains nothing, and two nodes of one core."""
    with LocalCluster(cpus=0) as running:
        running.first, running.second = running.add(), running.add()
        yield running


def test_a_node_dies_and_a_new_one_takes_its_place(cluster):
    driver = Driver(cluster, "killed", sweep=SWEEP)
    driver.wait_until_it_runs_on(2)
    before = {each["node"] for each in driver.begun}
    cluster.first.kill()
    driver.says("lost its worker; another one goes on from its last state")
    cluster.add()
    assert driver.end() == 0, driver.printed.read_text()
    driver.require_whole(lost=1)
    assert {each["node"] for each in driver.begun} - before, "the node that joined has had no work"


@pytest.mark.skipif(not why_no_network(), reason="a node is really cut off the network, in test_network.py")
def test_a_node_hangs_and_wakes(cluster):
    driver = Driver(cluster, "hung", sweep=SWEEP)
    driver.wait_until_it_runs_on(2)
    cluster.first.hang()
    driver.says("lost its worker")
    cluster.first.wake()
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
        # Of each trial that ran, the last epoch may have been too new to be kept.
        last = {row["trial_id"]: row for row in known}
        kept = [row for row in known if row is not last[row["trial_id"]]]
        assert [row for row in resumed.rows("epochs.csv")[: len(known)] if row in kept] == kept
