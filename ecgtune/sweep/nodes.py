"""The machines of a Ray cluster, and how many trials fit on them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ecgtune.sweep.plan import Resources

# Nodes come and go; so often, in seconds, the cluster is asked who is there.
_ASK_SECONDS = 2.0


@dataclass(frozen=True)
class Node:
    """A machine that can run trials.

    Args:
        node_id: Ray's.
        name: for people: host name, address, and the beginning of the id.
        cpus: whole ones.
        gpus: whole ones.
        more: amounts of other resources, by name.
        labels: that it was started with, by key.
    """

    node_id: str
    name: str
    cpus: int
    gpus: int = 0
    more: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def suits(self, wanted: Resources) -> bool:
        """Whether it has the labels that are asked for."""
        return wanted.labels.items() <= self.labels.items()

    def places(self, wanted: Resources, cpus: int) -> int:
        """How many trials of so many CPUs fit.

        A share of a GPU is of one GPU: two halves and a third trial's half need two GPUs, and so do 3 x 0.4.
        """
        if not self.suits(wanted):
            return 0
        fits = self.cpus // cpus
        share = wanted.gpus_per_trial
        if 0 < share < 1:
            fits = min(fits, self.gpus * math.floor(1 / share + 1e-9))
        elif share:
            fits = min(fits, math.floor(self.gpus / share + 1e-9))
        for name, amount in wanted.custom.items():
            fits = min(fits, math.floor(self.more.get(name, 0.0) / amount + 1e-9))
        return fits


def nodes() -> tuple[Node, ...]:
    """The nodes of the connected cluster that are alive."""
    import ray

    found = []
    for each in ray.nodes():  # type: ignore[no-untyped-call]
        if each["Alive"]:
            has, node_id = each["Resources"], each["NodeID"]
            name = f"{each['NodeManagerHostname']} ({each['NodeManagerAddress']}, {node_id[:6]})"
            labels = each.get("Labels") or {}
            found.append(Node(node_id, name, int(has.get("CPU", 0)), int(has.get("GPU", 0)), has, labels))
    return tuple(found)


def places(machines: Sequence[Node], wanted: Resources, cpus: int) -> int:
    """How many trials of so many CPUs fit on all machines; none is spread over two."""
    return sum(node.places(wanted, cpus) for node in machines)


def spare_cpus(machines: Sequence[Node], wanted: Resources, concurrency: int) -> int:
    """The most CPUs that each of so many trials can have; 1 at least."""
    cpus = 1
    while places(machines, wanted, cpus + 1) >= concurrency:
        cpus += 1
    return cpus


class Capacity:
    """How many trials a cluster has room for, as its nodes come and go.

    Args:
        wanted: what a trial needs, CPUs settled, and how many may run at once.
        joined: is told of each node that was not there at first.
    """

    def __init__(self, wanted: Resources, joined: Callable[[Node], None] | None = None) -> None:
        self._wanted, self._joined = wanted, joined
        self._asked, self._known = -math.inf, 0
        self._met: set[str] | None = None

    def __call__(self) -> int:
        """As of two seconds ago at most."""
        if time.monotonic() - self._asked > _ASK_SECONDS:
            there = nodes()
            for node in there:
                if self._joined and self._met is not None and node.node_id not in self._met:
                    self._joined(node)
            self._met = (self._met or set()) | {node.node_id for node in there}
            fits = places(there, self._wanted, self._wanted.cpus_per_trial or 1)
            self._asked, self._known = time.monotonic(), min(fits, self._wanted.max_concurrent or fits)
        return self._known
