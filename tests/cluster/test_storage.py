"""A node that does not see data or results: told before the sweep starts, or helped with --ship-data."""

import csv
import re

import pytest

from tests.cluster.local import LocalCluster, can_hide

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ray,
    pytest.mark.skipif(not can_hide(), reason="this system gives no process file systems of its own"),
]


def test_what_a_node_does_not_see_is_told_node_by_node_and_data_can_be_sent(make_dataset, tmp_path):
    data, results, elsewhere = make_dataset().folder, tmp_path / "results", tmp_path / "elsewhere"
    for folder in (results, elsewhere):
        folder.mkdir()
    with LocalCluster() as cluster:
        cluster.add(hide=[data, elsewhere])

        def sweep(where, *more):
            words = ("--data", data, "--space", "smoke", "--num-samples", 2, "--max-epochs", 2, "--name", "s")
            return cluster.run(
                "ecgtune", "sweep", "pretext", *words, "--results", where, "--address", cluster.address, *more
            )

        refused = sweep(elsewhere)
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
        lines = [line for line in refused.stderr.splitlines() if line.startswith("  - ")]
        assert len(lines) == 2, refused.stderr
        nodes = {re.match(r"  - (\S+ \(\S+, \w{6}\)) (.*)", line).groups() for line in lines}
        assert len({node for node, _ in nodes}) == 1, "the head sees everything"
        assert {lack for _, lack in nodes} == {
            f"does not see the results folder {elsewhere}",
            f"sees other files than this machine in {data}",
        }
        assert list(elsewhere.iterdir()) == []

        sent = sweep(results, "--ship-data")
        assert sent.returncode == 0, sent.stderr
        assert "2 at once" in sent.stderr, "one of them on the node without data"
        with (results / "s" / "trials.csv").open() as file:
            assert {row["state"] for row in csv.DictReader(file)} <= {"COMPLETE", "PRUNED"}
        assert not [path for path in results.iterdir() if path.name.startswith(".seen")]


def test_nodes_that_share_nothing_but_an_object_store(make_dataset, tmp_path, bucket):
    data, results, cache = bucket.put(make_dataset().folder, "data"), bucket.uri(), tmp_path / "driver"
    cache.mkdir()
    with LocalCluster() as cluster:
        node = cluster.add(hide=[cache, make_dataset().folder])
        known = ("--results", results, "--address", cluster.address, "--num-samples", 2, "--max-epochs", 2)
        done = cluster.run(
            *("ecgtune", "sweep", "pretext", "--data", data, "--space", "smoke", "--name", "p", *known),
            ECGTUNE_CACHE=str(cache),
        )
        assert done.returncode == 0, done.stderr
        assert "2 at once" in done.stderr, "one of them on the node that sees nothing of the driver's"
        # The node has to fetch the encoder, too; the driver's machine is another one by now.
        done = cluster.run(
            *("ecgtune", "sweep", "emotion", "--data", data, "--pretext", "p", "--name", "e", "--transductive", *known),
            ECGTUNE_CACHE=str(cache / "another"),
        )
        assert done.returncode == 0, done.stderr
        assert node.process.poll() is None
    for name in ("p", "e"):
        table = csv.DictReader(bucket.read(f"results/{name}/trials.csv").decode().splitlines())
        assert {row["state"] for row in table} <= {"COMPLETE", "PRUNED"}
        assert bucket.read(f"results/{name}/best/model.json")
