"""What a node does not see. Nodes with file systems of their own are in tests/cluster/test_storage.py."""

import re
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecgtune.errors import InputError
from ecgtune.sweep import runner, visible
from ecgtune.sweep.nodes import Node, nodes
from ecgtune.sweep.visible import Newcomers, _look, contents, require_visible, slow_nodes

NODE = Node("a" * 8, "worker (10.0.0.2, aaaaaa)", 1)


def _swap(file):
    """Other content of the same size."""
    file.write_bytes(file.read_bytes()[::-1])


@pytest.fixture
def folders(make_dataset, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / ".seen").touch()
    return tmp_path / "results", make_dataset().folder


def test_a_node_that_sees_everything_lacks_nothing(folders):
    results, data = folders
    assert _look(str(results / ".seen"), {str(data): contents(data)}) == []
    assert [path.name for path in results.iterdir()] == [".seen"]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda results, data: data.rename(data.with_name("moved")), "does not see {data} (No such file"),
        (lambda results, data: (data / "windows.npy").unlink(), "sees other files than this machine in {data}"),
        (lambda results, data: (data / "dataset.json").write_text("{}"), "sees other files"),
        (lambda results, data: _swap(data / "dataset.json"), "sees other files"),
        (lambda results, data: (results / ".seen").unlink(), "does not see the results folder {results}"),
    ],
)
def test_each_lack_is_named(folders, harm, said):
    results, data = folders
    expected = {str(data): contents(data)}
    harm(results, data)
    (lack,) = _look(str(results / ".seen"), expected)
    assert said.format(results=results, data=data) in lack


def test_a_node_is_asked_whether_it_reaches_what_lies_at_uris(bucket, make_dataset):
    dataset = make_dataset()
    data = bucket.put(dataset.folder, "data")
    assert _look(bucket.uri(), {}, {data: dataset.fingerprint}) == []
    assert [name for name in bucket.names() if "seen" in name] == []
    (lack,) = _look(bucket.uri(), {}, {data: "another"})
    assert lack == f"finds other data than this machine at s3://{bucket.name}/data"
    nowhere = bucket.uri().replace(bucket.name, "no-such-bucket")
    results, data = _look(nowhere, {}, {nowhere: "any"})
    assert results.startswith("cannot write the results: s3://no-such-bucket/results: there is no such bucket")
    assert data == "finds no data at s3://no-such-bucket/results"


def test_another_version_of_this_package_is_named(folders, monkeypatch):
    monkeypatch.setattr(visible, "__version__", "9.9")
    results, _ = folders
    (lack,) = _look(str(results / ".seen"), {})
    assert "and here is 9.9" in lack


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_the_nodes_of_a_cluster_are_asked(folders, tmp_path):
    results, data = folders
    require_visible(results, [data])
    assert [path.name for path in results.iterdir()] == [".seen"]


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_nodes_that_would_emulate_bfloat16_are_named(monkeypatch):
    (node,) = nodes()
    for units in (True, False):
        monkeypatch.setattr(visible, "what_slows", lambda path, device, said=[] if units else ["is slow"]: said)
        assert slow_nodes("tiled", [node]) == ([] if units else [f"{node.name} is slow"])


@pytest.mark.parametrize(
    ("path", "units", "reason", "said"),
    [
        ("tiled", True, "", ""),
        ("tiled", True, "no C compiler 'cc'", r"cannot compile layers \(no C compiler 'cc'\)"),
        ("tiled32", False, "no C compiler 'cc'", "cannot compile layers"),
        ("tiled", False, "no C compiler 'cc'", "has no units for bfloat16"),
        ("bf16", False, "", "has no units for bfloat16"),
        ("bf16", True, "no C compiler 'cc'", ""),
        ("fourier", False, "no C compiler 'cc'", ""),
        ("inductor", False, "", "has no units for bfloat16"),
        ("inductor", True, "no C++ compiler", r"cannot compile what inductor needs \(no C\+\+ compiler\)"),
        ("cudagraphs", True, "", ""),
    ],
)
def test_a_node_says_what_makes_it_slower(path, units, reason, said, monkeypatch):
    monkeypatch.setattr("ecgtune.training.path.has_bf16_units", lambda: units)
    monkeypatch.setattr("ecgtune.models.compiled.why_not", lambda dtype: reason)
    monkeypatch.setattr("ecgtune.models.fused.why_not", lambda path, device: reason)
    found = visible.what_slows(path, "cpu")
    assert len(found) == bool(said)
    assert all(re.match(said, each) for each in found)


@pytest.mark.parametrize(
    ("path", "reason", "said"),
    [
        (
            "inductor",
            "no Triton",
            ["cannot compile what inductor needs (no Triton), so its trials compute as with bf16"],
        ),
        ("inductor", "", []),
        ("bf16", "no Triton", []),
        ("tiled", "no Triton", []),
    ],
)
def test_a_gpu_is_slower_for_want_of_triton_alone(path, reason, said, monkeypatch):
    monkeypatch.setattr("ecgtune.training.path.has_bf16_units", lambda: False)
    monkeypatch.setattr("ecgtune.models.compiled.why_not", lambda dtype: reason)
    monkeypatch.setattr("ecgtune.models.fused.why_not", lambda path, device: reason if device == "cuda" else "")
    assert visible.what_slows(path, "cuda") == said


@pytest.mark.parametrize("error", [InputError("it lacks something"), RuntimeError("the cluster is gone")])
def test_a_node_that_joins_is_looked_at_and_told_only_if_it_lacks_something(monkeypatch, error):
    told, asked = [], threading.Event()

    def require(results, folders, machines):
        assert machines == [NODE]
        asked.set()
        raise error

    monkeypatch.setattr(visible, "require_visible", require)
    Newcomers(Path("results"), [], told.append)(NODE)
    assert asked.wait(10)
    for thread in threading.enumerate():
        if thread.name == "newcomer":
            thread.join(10)
    assert len(told) == isinstance(error, InputError)
    assert all(NODE.name in each and "it lacks something" in each for each in told)


@pytest.mark.parametrize(
    ("path", "device", "told"),
    [("tiled", "cpu", (1, 1)), ("fourier", "cpu", (1, 1)), ("", "cpu", (0, 0)), ("inductor", "cuda", (0, 1))],
)
def test_slow_nodes_are_told_where_it_matters(path, device, told, monkeypatch, listener):
    monkeypatch.setattr(runner, "slow_nodes", lambda asked, machines: [f"{machines[0].name} is slow"] * (asked == path))
    monkeypatch.setattr(runner, "what_slows", lambda asked, on: ["is slow"] * (asked == path and on == device))
    for address, name, times in (("head:6379", NODE.name, told[0]), (None, "this machine", told[1])):
        resources = SimpleNamespace(device=device, address=address)
        runner._warn_of_slow(
            SimpleNamespace(job=SimpleNamespace(convolution=path), resources=resources), [NODE], listener
        )
        notes = [note for note in listener.named("note") if "compiler works" not in note]
        assert notes[-1:] == [f"{name} is slow."] * times


@pytest.mark.parametrize(("path", "slow", "told"), [("inductor", [], 1), ("inductor", ["is slow"], 0), ("bf16", [], 0)])
def test_compiling_is_told_before_it_begins(path, slow, told, monkeypatch, listener):
    monkeypatch.setattr(runner, "what_slows", lambda *_: slow)
    resources = SimpleNamespace(device="cuda", address=None)
    runner._warn_of_slow(SimpleNamespace(job=SimpleNamespace(convolution=path), resources=resources), [], listener)
    assert sum("compiler works in" in note for note in listener.named("note")) == told


@pytest.mark.parametrize(
    ("path", "was", "now", "told"),
    [
        ("tiled", True, True, 0),
        ("tiled", None, True, 0),
        ("tiled", True, False, 1),
        ("tiled32", False, True, 1),
        ("fourier", False, True, 0),
    ],
)
def test_a_resumed_sweep_tells_that_layers_are_computed_otherwise(path, was, now, told, listener):
    before = {"machine": {} if was is None else {"compiled": was}}
    plan = SimpleNamespace(job=SimpleNamespace(convolution=path))
    runner._warn_of_rounding(plan, before, {"machine": {"compiled": now}}, listener)
    assert len(listener.named("note")) == told
    assert all("they differ by rounding" in note for note in listener.named("note"))
