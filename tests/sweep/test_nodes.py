from dataclasses import replace
from itertools import pairwise

import pytest

from ecgtune.errors import InputError
from ecgtune.sweep import nodes as module
from ecgtune.sweep.nodes import Capacity, Node, places, spare_cpus
from ecgtune.sweep.plan import Resources
from ecgtune.sweep.runner import _fit


def node(cpus, gpus=0, **more):
    return Node(f"id{cpus}", f"n{cpus}", cpus, gpus, more)


@pytest.mark.parametrize(
    ("machines", "wanted", "cpus", "fits"),
    [
        ([node(1)] * 4, {}, 1, 4),
        ([node(1)] * 4, {}, 2, 0),  # no trial is spread over two nodes
        ([node(8), node(3), node(0)], {}, 2, 5),
        ([node(8, 2)], {"gpus_per_trial": 1.0}, 1, 2),
        ([node(8, 2)], {"gpus_per_trial": 2.0}, 1, 1),
        ([node(8, 2)], {"gpus_per_trial": 0.5}, 1, 4),
        ([node(8, 2)], {"gpus_per_trial": 0.4}, 1, 4),  # two of 0.4 on each GPU
        ([node(3, 2)], {"gpus_per_trial": 0.25}, 1, 3),
        ([node(8), node(8, 1)], {"gpus_per_trial": 0.5}, 1, 2),
        ([node(8, fast=2.0), node(8)], {"custom": {"fast": 0.5}}, 1, 4),
        ([node(8)], {"custom": {"fast": 1.0}}, 1, 0),
        ([replace(node(8), labels={"zone": "a", "gen": "2"}), node(8)], {"labels": {"zone": "a"}}, 2, 4),
        ([replace(node(8), labels={"zone": "a"})], {"labels": {"zone": "b"}}, 1, 0),
        ([], {}, 1, 0),
    ],
)
def test_places(machines, wanted, cpus, fits):
    assert places(machines, Resources(**wanted), cpus) == fits


@pytest.mark.parametrize(
    ("machines", "concurrency", "cpus"),
    [
        ([node(8)], 2, 4),
        ([node(8)], 3, 2),
        ([node(1)] * 4, 2, 1),
        ([node(8), node(2)], 2, 4),
        ([node(8), node(2)], 5, 2),
    ],
)
def test_cpus_that_no_further_trial_can_use_go_to_those_that_run(machines, concurrency, cpus):
    assert spare_cpus(machines, Resources(), concurrency) == cpus
    assert places(machines, Resources(), cpus) >= concurrency > places(machines, Resources(), cpus + 1)


def test_a_trial_has_to_fit_on_one_node(curve_plan):
    plan = curve_plan(num_samples=2, max_concurrent=None)
    settled, concurrency = _fit(plan, [node(1)] * 4)
    assert (settled.resources.cpus_per_trial, concurrency) == (1, 2)
    with pytest.raises(InputError, match=r"needs 2 CPUs .* but there are 1 and 0; 1 and 0 on the nodes"):
        _fit(replace(plan, resources=Resources(cpus_per_trial=2)), [node(1)] * 2)


def test_a_resource_that_no_node_has_is_named(curve_plan):
    greedy = replace(curve_plan(), resources=Resources(custom={"fast": 1.0}))
    with pytest.raises(InputError, match="and 1 of fast.*look at --resource"):
        _fit(greedy, [node(4)])


def test_a_label_that_no_node_has_is_named_and_one_that_is_too_small(curve_plan):
    machines = [node(8), replace(node(1), labels={"zone": "a"})]
    for wanted, said in (
        (Resources(labels={"zone": "b"}), "no node has the label zone=b; the nodes have zone=a.*--labels zone=b"),
        (Resources(cpus_per_trial=2, labels={"zone": "a"}), "needs 2 CPUs .* there are 1 and 0 on the nodes with zone"),
    ):
        with pytest.raises(InputError, match=said):
            _fit(replace(curve_plan(), resources=wanted), machines)


def test_capacity_follows_the_nodes_that_come_and_go(monkeypatch):
    there, clock = [node(1)], [0.0]
    monkeypatch.setattr(module, "nodes", lambda: tuple(there))
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    heard = []
    watching = Capacity(Resources(cpus_per_trial=1), heard.append)
    capacity, limited = Capacity(Resources(cpus_per_trial=1)), Capacity(Resources(cpus_per_trial=1, max_concurrent=2))
    seen = []
    for joined in ([], [node(2), node(3)], [node(4)]):
        there += joined
        clock[0] += 10
        seen.append((capacity(), limited()))
        watching()
    assert seen == [(1, 1), (6, 2), (10, 2)]
    assert all(before <= after for before, after in pairwise(seen))
    assert [each.node_id for each in heard] == ["id2", "id3", "id4"], "those that were there at first have not joined"
    there.clear()
    assert capacity() == 10, "within two seconds nobody is asked again"
    clock[0] += 10
    assert capacity() == 0
