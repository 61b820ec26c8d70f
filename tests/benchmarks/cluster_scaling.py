"""Does a sweep grow with its cluster, and how many trials can one driver serve?

    python tests/benchmarks/cluster_scaling.py [--nodes 1 2 4] [--workers 16 32 64] [--seconds 1]
        [--one-by-one] [--name NAME]

Nodes are Ray nodes of their own (`ray start`) on this machine, with token authentication; trials sleep, so that they
need no cores and the figures tell of ecgtune and Ray alone. Everything else is real: TPE, the study, the tables, the
models, the states.

nodes     trials per hour on so many one-core nodes, against so many times the rate of an ideal node, whose trial takes
          its epochs and nothing else. Counted from the moment at which all nodes train to the start of the last trial,
          so starting Ray and its workers is left out, and what is between two trials is not
spread    on four two-core nodes with room for eight trials, four trials at once: how many nodes work
workers   the share of the workers' time that is spent in epochs, with so many trials at once on one node, over the
          same span; the processor time that the driver needs for each epoch; how many epochs a second one core could
          serve at that price: where the driver would be the limit; how long an epoch's report waits for its answer; and
          the longest time in which no epoch at all began, so that a sweep that stood still is seen
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise

from common import REPOSITORY, arguments, compared, provenance, save, show

sys.path.insert(0, str(REPOSITORY))

from tests.cluster.local import LocalCluster

TARGET = 0.95
WAVES = 3


def processor_seconds(pid):
    """What a process has used so far, its threads included."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(cluster, name, workers, seconds, epochs, trials, **more):
    """One sweep; gives the epochs as they were begun, and the driver's processor time per epoch once all work."""
    folder = cluster.place / name
    folder.mkdir()
    log = folder / "epochs.log"
    asked = json.dumps({"trials": trials, "epochs": epochs, "seconds": seconds, "defaults": True} | more)
    env = cluster.env | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "tests.cluster.paced", str(folder), cluster.address, asked]
    with (folder / "printed.txt").open("w") as out:
        driver = subprocess.Popen(command, cwd=REPOSITORY, env=env, stdout=out, stderr=subprocess.STDOUT)
    samples = []
    while driver.poll() is None:
        begun = read(log)
        if len({each["lr"] for each in begun}) >= min(workers, trials):
            samples.append((processor_seconds(driver.pid), len(begun)))
        time.sleep(1)
    if driver.returncode:
        sys.exit((folder / "printed.txt").read_text())
    (used_before, begun_before), (used_after, begun_after) = samples[0], samples[-1]
    return read(log), (used_after - used_before) / max(1, begun_after - begun_before)


def read(log):
    """The epochs that were begun so far."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")] if log.exists() else []


def share_in_epochs(begun, workers, seconds):
    """The share of the workers' time spent in epochs while all work and trials are left, and that span in seconds."""
    firsts = sorted(each["time"] for each in begun if each["epoch"] == 1)
    since, until = firsts[min(workers, len(firsts)) - 1], firsts[-1]
    inside = sum(max(0.0, min(each["time"] + seconds, until) - max(each["time"], since)) for each in begun)
    return inside / (workers * (until - since)), until - since


def overheads(begun, seconds):
    """Mean seconds that an epoch takes beyond its length, and so the driver's answer to its report."""
    last, beyond = {}, []
    for each in sorted(begun, key=lambda each: each["time"]):
        before = last.get(each["lr"])
        if before is not None and each["epoch"] == before["epoch"] + 1:
            beyond.append(each["time"] - before["time"] - seconds)
        last[each["lr"]] = each
    return sum(beyond) / max(1, len(beyond))


def longest_silence(begun, workers):
    """The longest time in seconds without an epoch that begins, while all work and trials are left."""
    firsts = sorted(each["time"] for each in begun if each["epoch"] == 1)
    times = [t for t in sorted(each["time"] for each in begun) if firsts[workers - 1] <= t <= firsts[-1]]
    return max((after - before for before, after in pairwise(times)), default=0.0)


def on_nodes(counts, seconds, epochs):
    """Trials per hour on one-core nodes."""
    rows = []
    for count in counts:
        with LocalCluster(cpus=0) as cluster:
            for _ in range(count):
                cluster.add()
            trials = (WAVES + 1) * count
            begun, _ = run(cluster, "sweep", count, seconds, epochs, trials)
            share, span = share_in_epochs(begun, count, seconds)
            ideal = 3600 / (epochs * seconds)
            on_each = sorted(Counter(each["node"] for each in begun).values())
            row = {"nodes": count, "trials_per_hour": share * count * ideal, "ideal_per_hour": count * ideal}
            rows.append(row | {"span_s": span, "epochs_on_each_node": on_each})
            print(row, on_each, flush=True)
    return rows


def spread(seconds):
    """Nodes that work when there is room for twice as many trials as run."""
    with LocalCluster(cpus=0) as cluster:
        for _ in range(4):
            cluster.add(2)
        begun, _ = run(cluster, "sweep", 4, seconds, 20, 4, max_concurrent=4)
    on_each = sorted(Counter(each["node"] for each in begun).values())
    print("spread: epochs on each node", on_each, flush=True)
    return {"nodes": 4, "cores_each": 2, "at_once": 4, "epochs_on_each_node": on_each}


def on_workers(counts, seconds, epochs, in_blocks=True):
    """One driver, many sleeping trials at once."""
    rows = []
    for count in counts:
        with LocalCluster(cpus=count) as cluster:
            begun, cost = run(cluster, "sweep", count, seconds, epochs, WAVES * count, defaults=in_blocks)
        share, span = share_in_epochs(begun, count, seconds)
        row = {"workers": count, "share_in_epochs": share, "span_s": span, "driver_ms_per_epoch": cost * 1000}
        row |= {"longest_silence_s": longest_silence(begun, count)}
        row |= {"answer_ms_per_epoch": overheads(begun, seconds) * 1000, "load": os.getloadavg()[0]}
        rows.append(row | {"epochs_per_second": share * count / seconds, "one_core_could_serve": 1 / cost})
        print(rows[-1], flush=True)
    return rows


def benchmark(nodes, workers, seconds, epochs, in_blocks=True):
    """All figures."""
    by_nodes = on_nodes(nodes, seconds, epochs)
    spreading = spread(seconds) if len(nodes) > 1 else {}
    by_workers = on_workers(workers, seconds, epochs, in_blocks)
    comparisons = [
        compared(f"{row['nodes']} nodes", row["trials_per_hour"], row["ideal_per_hour"], "trials/h") for row in by_nodes
    ]
    comparisons += [
        compared(
            f"share of {row['workers']} workers' time in epochs of {seconds:g} s",
            row["share_in_epochs"],
            1.0,
            "",
            target=TARGET,
        )
        for row in by_workers
    ]
    return {"comparisons": comparisons, "nodes": by_nodes, "spread": spreading, "workers": by_workers}


def main():
    parser = arguments(__doc__)
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--workers", type=int, nargs="*", default=[16, 32, 64])
    parser.add_argument("--seconds", type=float, default=1.0, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=20, help="of a trial")
    parser.add_argument("--one-by-one", action="store_true", help="every epoch is reported by itself, with a state")
    parser.add_argument("--name", default="cluster_scaling", help="of the file of figures")
    options = parser.parse_args()
    where = provenance()
    figures = benchmark(options.nodes, options.workers, options.seconds, options.epochs, not options.one_by_one)
    show(figures["comparisons"])
    save(options.name, figures, where, options.out)


if __name__ == "__main__":
    main()
