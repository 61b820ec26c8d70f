"""A machine that is cut off the network, by its cable, and comes back. Figures: no trial lost, one epoch repeated."""

import time

import pytest

from tests.cluster.driver import Driver
from tests.cluster.local import LocalCluster, wait_for
from tests.cluster.network import Network, why_no_network

pytestmark = [pytest.mark.slow, pytest.mark.ray]
# Seconds: less than the cluster waits until it takes a node for dead (about 4), and the minute that is promised.
BLINK, CUT = 2, 60
# Work of 8 s a trial for longer than the cut, for the up to 20 s until the node has ended itself, for as long until
# another one trains there, and for that one.
SWEEP = {"trials": 3 + (CUT + 55) // 8, "epochs": 16, "seconds": 0.5}


@pytest.fixture
def network():
    reason = why_no_network()
    if reason:
        pytest.skip(reason)
    with Network() as made:
        yield made


def test_a_machine_is_cut_off_the_network_for_longer_than_the_cluster_waits(network):
    with LocalCluster(cpus=0, host=network.host) as cluster:
        cluster.add()
        machine = network.add_machine()
        driver = Driver(cluster, "network", sweep=SWEEP)
        away = cluster.add(machine=machine)
        driver.wait_until_it_runs_on(2)
        network.pull(machine)
        time.sleep(BLINK)
        network.plug(machine)
        driver.wait_until_it_goes_on(2)
        assert "lost its worker" not in driver.printed.read_text()

        network.pull(machine)
        begun = time.monotonic()
        driver.says("lost its worker; another one goes on from its last state")
        time.sleep(begun + CUT - time.monotonic())
        assert driver.process.poll() is None, driver.printed.read_text()
        before = {each["node"] for each in driver.begun}
        network.plug(machine)
        # Taken for dead, it ends itself, its workers included: nobody goes on with a trial that is elsewhere.
        wait_for("the node's end", lambda: away.process.poll() is not None)
        # What its user has to do.
        cluster.add(machine=machine)
        assert driver.end() == 0, driver.printed.read_text()
        driver.require_whole(lost=1)
        assert {each["node"] for each in driver.begun} - before, "the machine that is back has had no work"
