"""Machines on a network of their own: each in a network namespace, at a switch whose cables can be pulled."""

import os
import secrets
import subprocess
from contextlib import suppress


def ip(*words):
    """Run `ip`; tells what it says where it fails."""
    ran = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert ran.returncode == 0, f"ip {' '.join(words)}: {ran.stderr}"


def why_no_network():
    """Why this system gives us no networks of our own; empty where it does."""
    if os.getuid() != 0:
        return "only root may make networks"
    try:
        with Network() as network:
            network.add_machine()
    except (AssertionError, FileNotFoundError) as error:
        return f"this system makes no networks: {error}"
    return ""


class Network:
    """A switch at which this system has the first address; ends with the block, whatever is left on it."""

    def __init__(self):
        self.name = f"ecg{secrets.token_hex(3)}"
        self._place, self._machines = secrets.randbelow(250) + 1, []

    @property
    def host(self):
        """The address of this system."""
        return self._address(1)

    def add_machine(self):
        """A new machine, cable plugged in: the name of its namespace, and its address."""
        number = len(self._machines) + 2
        machine = f"{self.name}-{number}"
        self._machines.append(machine)
        ip("netns", "add", machine)
        ip("link", "add", machine, "type", "veth", "peer", "name", "eth0", "netns", machine)
        ip("link", "set", machine, "master", self.name, "up")
        ip("-n", machine, "address", "add", f"{self._address(number)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", machine, "link", "set", device, "up")
        return machine, self._address(number)

    def pull(self, machine):
        """Pull a machine's cable."""
        ip("link", "set", machine[0], "down")

    def plug(self, machine):
        """Plug it in again."""
        ip("link", "set", machine[0], "up")

    def __enter__(self):
        ip("link", "add", self.name, "type", "bridge")
        try:
            ip("address", "add", f"{self.host}/24", "dev", self.name)
            ip("link", "set", self.name, "up")
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for each in self._machines:
            # With a machine its end of the cable goes, and with that the other one.
            for words in (("link", "del", each), ("netns", "del", each)):
                with suppress(AssertionError):
                    ip(*words)
        with suppress(AssertionError):
            ip("link", "del", self.name)

    def _address(self, number):
        return f"10.213.{self._place}.{number}"
