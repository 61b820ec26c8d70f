"""A process that drives a sweep of sleeping trials, and what is known of it from outside."""

import csv
import json
import subprocess
import sys
from collections import Counter

from tests.cluster.local import wait_for
from tests.conftest import ROOT


class Driver:
    """A sweep of paced trials in a process of its own.

    Args:
        cluster: where it runs.
        name: of its folder.
        more: words of its command line.
        sweep: how many trials, epochs, and seconds for an epoch.
        environment: variables of the process.
    """

    def __init__(self, cluster, name, *more, sweep, **environment):
        self.sweep, self.folder = sweep, cluster.place / name
        self.folder.mkdir(exist_ok=True)
        self.printed = self.folder / "printed.txt"
        command = [sys.executable, "-m", "tests.cluster.paced", str(self.folder), cluster.address, json.dumps(sweep)]
        with self.printed.open("a") as out:
            env = cluster.env | {"PYTHONPATH": str(ROOT)} | environment
            self.process = subprocess.Popen([*command, *more], cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT)
        cluster.drivers.append(self.process)

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

    def wait_until_it_goes_on(self, nodes):
        """From now on, on so many nodes."""
        known = len(self.begun)
        wait_for(f"more epochs on {nodes} nodes", lambda: len({each["node"] for each in self.begun[known:]}) >= nodes)

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
