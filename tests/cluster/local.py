"""A Ray cluster of several nodes on this machine, each a process family of its own that can be killed or hung.

Nothing of this machine's own Ray counts: home, token, temporary folders and ports are the cluster's.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BIN = Path(sys.executable).parent
# Seconds until a head that does not hear from a node takes it for dead: about 4, where Ray's default is about a minute.
IMPATIENT = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
PATIENCE = 90


def free_port():
    """A port that is free, and stays so: below it Ray's workers take theirs, above it the system for any connection."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", 20000 + secrets.randbelow(12000)))
            return probe.getsockname()[1]


def wait_for(what, condition, seconds=PATIENCE):
    """Wait until a condition holds, and give what it gave."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return found


def descendants(pid):
    """All processes below one, with their command lines."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in (Path("/proc") / str(pid) / "task").iterdir():
            for child in (task / "children").read_text().split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    command = (Path("/proc") / child / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found += [(int(child), command), *descendants(int(child))]
    return found


def behind(hide):
    """What starts a command so that some folders are empty for it, and for nobody else."""
    if not hide:
        return []
    mounts = " && ".join(f"mount -t tmpfs none {folder}" for folder in hide)
    return ["unshare", "-m" if os.getuid() == 0 else "-rm", "sh", "-c", f'{mounts} && exec "$@"', "sh"]


def can_hide():
    """Whether this system lets us give a process file systems of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([*behind([folder]), "true"], capture_output=True).returncode == 0


class Node:
    """`ray start --block` and all that it started."""

    def __init__(self, cluster, arguments, hide=(), machine=None):
        self.temp = Path(tempfile.mkdtemp(prefix="ecgray", dir=cluster.place))
        self.log = self.temp / "start.log"
        common = [
            "--block",
            "--disable-usage-stats",
            "--temp-dir",
            str(self.temp),
            "--object-store-memory",
            "100000000",
        ]
        ports = ["--dashboard-agent-listen-port", str(free_port()), "--metrics-export-port", str(free_port())]
        with self.log.open("w") as log:
            inside = ["ip", "netns", "exec", machine] if machine else []
            command = [*inside, *behind(hide), str(BIN / "ray"), "start", *arguments, *common, *ports]
            self.process = subprocess.Popen(
                command,
                env=cluster.env,
                # Ray makes folders where it stands.
                cwd=self.temp,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for("a node", lambda: "Ray runtime started" in self.log.read_text())
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}: {self.log.read_text()}") from error

    @property
    def raylet(self):
        return next(pid for pid, command in descendants(self.process.pid) if "/raylet/raylet " in command)

    def workers(self):
        """The processes of the node that run trials."""
        others = ("IDLE", "Agent")  # Ray names its own helpers like its workers.
        family = descendants(self.process.pid)
        return [pid for pid, command in family if "ray::" in command and not any(other in command for other in others)]

    def kill(self):
        """As when the power goes."""
        family = [pid for pid, _ in descendants(self.process.pid)]
        for pid in [self.process.pid, *family]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def hang(self):
        """The node neither hears nor says anything, as far as the cluster can tell."""
        os.kill(self.raylet, signal.SIGSTOP)

    def wake(self):
        with contextlib.suppress(StopIteration, ProcessLookupError):
            os.kill(self.raylet, signal.SIGCONT)


class LocalCluster:
    """A head, and nodes that can be added; ends with the block.

    Args:
        cpus: of the head.
        dashboard: whether it takes jobs.
        token: whether it asks for a token.
        settings: of Ray, as environment variables.
        host: the address at which the other nodes find this machine.
    """

    def __init__(self, cpus=1, dashboard=False, token=True, settings=IMPATIENT, host="127.0.0.1"):
        self.host, self.drivers = host, []
        # Sockets below it must have short names.
        self.place = Path(tempfile.mkdtemp(prefix="ecgc", dir="/tmp"))
        home = self.place / "home"
        home.mkdir()
        self.port, self.dashboard_port, self.nodes = free_port(), free_port(), []
        self.dashboard = dashboard
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self.env |= {
            "HOME": str(home),
            "RAY_USAGE_STATS_ENABLED": "0",
            "PATH": f"{BIN}:{os.environ['PATH']}",
            **settings,
        }
        self.env |= {"ECGTUNE_CACHE": str(home / "cache"), "OMP_NUM_THREADS": "1"}
        self.token = secrets.token_hex(32)
        if token:
            file = home / ".ray" / "auth_token"
            file.parent.mkdir()
            file.write_text(self.token)
            self.env["RAY_AUTH_MODE"] = "token"
        else:
            self.env["RAY_AUTH_MODE"] = "disabled"
        self.start_head(cpus)

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.dashboard_port}"

    def start_head(self, cpus=1):
        shown = ["--include-dashboard", str(self.dashboard).lower(), "--dashboard-port", str(self.dashboard_port)]
        more = ["--ray-client-server-port", str(free_port()), *self._at(self.host)]
        self.head = Node(self, ["--head", "--port", str(self.port), "--num-cpus", str(cpus), *shown, *more])
        self.nodes.append(self.head)

    def add(self, cpus=1, *more, hide=(), machine=None):
        """One more node.

        Args:
            cpus: that it has.
            more: arguments of `ray start`.
            hide: folders of which it sees nothing.
            machine: namespace and address of the machine on which it runs; None means this one.
        """
        name, address = machine or (None, self.host)
        arguments = ["--address", self.address, "--num-cpus", str(cpus), *self._at(address), *more]
        node = Node(self, arguments, hide, name)
        self.nodes.append(node)
        return node

    @staticmethod
    def _at(address):
        """Ray finds the address by itself where there is but this machine."""
        return [] if address == "127.0.0.1" else ["--node-ip-address", address]

    def run(self, *command, **settings):
        """Run a command to its end, as a user of the cluster."""
        return subprocess.run(
            list(map(str, command)),
            env=self.env | settings,
            capture_output=True,
            text=True,
            cwd=self.place,
            timeout=240,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for driver in self.drivers:
            driver.kill()
            driver.wait()
        for node in self.nodes:
            node.wake()
            node.kill()
        shutil.rmtree(self.place, ignore_errors=True)
