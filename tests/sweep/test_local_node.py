"""A node of Ray without what no sweep asks."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from ecgtune.sweep.local_node import lean_node

pytestmark = pytest.mark.ray


def run(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_a_local_cluster_has_the_two_servers_that_trials_need_and_no_other():
    """Nor does its agent look for the one that is not there, and log it, every second."""
    *kinds, minimal, turn, complaints = run("""
import sys, time
from pathlib import Path
from ecgtune.sweep.engine import RaySession
turn = sys.getswitchinterval()
with RaySession(None, 1):
    import ray
    node = ray._private.worker._global_node
    time.sleep(2)
    log = (Path(node.get_logs_dir_path()) / "dashboard_agent.log").read_text()
    raylet = node.all_processes["raylet"][0].process.pid
    minimal = "--minimal" in Path(f"/proc/{raylet}/cmdline").read_text()
    same = sys.getswitchinterval() == turn
    print(*node.all_processes, minimal, same, log.count("Get dashboard http address failed"))
""")
    assert {"raylet", "gcs_server"} <= set(kinds) <= {"raylet", "gcs_server", "reaper"}
    assert (minimal, turn, complaints) == ("True", "True", "0")


def test_ray_is_as_it_was_afterwards_even_where_it_did_not_start():
    import ray

    node, error = ray._private.node.Node, ray._private.utils.get_dashboard_dependency_error
    with pytest.raises(RuntimeError), lean_node():
        assert ray._private.node.Node is not node
        raise RuntimeError
    assert ray._private.node.Node is node
    assert ray._private.utils.get_dashboard_dependency_error is error


class OtherNode:
    """Of a Ray whose client of GCS knows other methods."""

    def __init__(self):
        self.started = []
        self.start_raylet("plasma", memory=1)
        self.start_log_monitor()
        self.start_api_server(include_dashboard=False)
        self.start_anything()

    def get_gcs_client(self):
        return SimpleNamespace()

    def start_anything(self):
        self.started.append("anything")

    def start_log_monitor(self):
        self.started.append("log monitor")

    def start_raylet(self, *args, **kwargs):
        self.started.append((args, kwargs))


def test_what_another_ray_calls_otherwise_is_started_and_waited_for_in_its_own_way(monkeypatch):
    import ray

    monkeypatch.setattr(ray._private.node, "Node", OtherNode)
    with lean_node():
        node = ray._private.node.Node()
    assert node.started == [(("plasma",), {"memory": 1}), "anything"]


def test_a_ray_whose_node_is_elsewhere_starts_as_it_does(monkeypatch):
    import ray

    monkeypatch.delattr(ray._private, "node")
    monkeypatch.delattr(ray._private.utils, "get_dashboard_dependency_error")
    with lean_node():
        assert not hasattr(ray._private, "node")
    assert not hasattr(ray._private.utils, "get_dashboard_dependency_error")
