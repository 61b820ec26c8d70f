"""Where trials run on nodes that differ."""

import json
import sys
import tomllib

import pytest

from tests.cluster.local import LocalCluster
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.ray]


def nodes_at_work(cluster, name, trials, **resources):
    """Run a sweep; gives how many trials ran at once, and node -> epochs."""
    folder = cluster.place / name
    folder.mkdir()
    asked = json.dumps({"trials": trials, "epochs": 6, "seconds": 0.25, **resources})
    ran = cluster.run(sys.executable, "-m", "tests.cluster.paced", folder, cluster.address, asked, PYTHONPATH=str(ROOT))
    assert ran.returncode == 0, ran.stderr
    begun = [json.loads(line) for line in (folder / "epochs.log").read_text().splitlines()]
    counts = {}
    for each in begun:
        counts[each["node"]] = counts.get(each["node"], 0) + 1
    return ran.stderr, counts


def test_trials_go_where_their_resources_are():
    with LocalCluster(cpus=0) as cluster:
        cluster.add(2)
        cluster.add(3, "--num-gpus", "1", "--resources", '{"fast": 1}')
        said, shares = nodes_at_work(cluster, "shares", 3, gpus_per_trial=0.5)
        assert "2 at once" in said, "two halves of one GPU, though five CPUs are there"
        said, fast = nodes_at_work(cluster, "fast", 2, custom={"fast": 1.0})
        assert "1 at once" in said
        assert "the cluster has 1 GPUs, and no trial uses one" in said
        assert len(shares) == 1
        assert set(shares) == set(fast)


def test_trials_go_where_their_labels_are():
    with LocalCluster(cpus=0) as cluster:
        cluster.add(2, "--labels", "zone=a")
        cluster.add(1, "--labels", "zone=b,gen=2")
        said, shares = nodes_at_work(cluster, "near", 3, labels={"zone": "b"})
        assert "1 at once" in said, "one CPU in the zone, though three are there"
        assert len(shares) == 1
        _, others = nodes_at_work(cluster, "far", 2, labels={"zone": "a"})
        assert not set(shares) & set(others)
        recorded = tomllib.loads((cluster.place / "near" / "results" / "paced" / "sweep.toml").read_text())
        assert recorded["resources"]["labels"] == {"zone": "b"}
