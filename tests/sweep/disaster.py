"""A sweep over known curves with a Ray of its own, which strikes itself after its fifth epoch.

python -m tests.sweep.disaster FOLDER {INT,TERM,KILL,WORKER,RAYLET}
"""

import os
import signal
import sys
from pathlib import Path

from tests.sweep import conftest, curves

OPTIONS = {"scheduler": "asha", "searcher": "tpe", "num_samples": 6, "max_concurrent": 1, "max_epochs": 4}


def below(parent):
    """The processes below one, and the first word of their command lines."""
    tasks = (Path("/proc") / str(parent) / "task").iterdir()
    for child in [child for task in tasks for child in (task / "children").read_text().split()]:
        command = (Path("/proc") / child / "cmdline").read_bytes().split(b"\0")[0].decode()
        yield int(child), command
        yield from below(child)


def strike(how):
    if how in ("WORKER", "RAYLET"):
        # Ray names its own helpers like its workers; without its agents a node gives up.
        name, others = {"WORKER": "ray::", "RAYLET": "/raylet"}[how], ("IDLE", "Agent")
        targets = [
            pid
            for pid, command in below(os.getpid())
            if name in command and not any(other in command for other in others)
        ]
        assert targets, f"nothing to strike: {list(below(os.getpid()))}"
        for pid in targets:
            os.kill(pid, signal.SIGKILL)
    else:
        os.kill(os.getpid(), getattr(signal, f"SIG{how}"))


def main():
    folder, how = Path(sys.argv[1]), sys.argv[2]
    from ecgtune.sweep import drive
    from ecgtune.sweep.engine import RaySession
    from ecgtune.sweep.runner import run_sweep

    drive.BLOCK_SECONDS, drive.STATE_SECONDS = 0.0, 0.0
    listener = conftest.Listener()
    listener.on("epoch_finished", 5, lambda: strike(how))
    with RaySession(None, 1):
        from ray import cloudpickle

        cloudpickle.register_pickle_by_value(curves)
        outcome = run_sweep(conftest.make_plan(folder, **OPTIONS), listener)
    sys.exit(130 if outcome.interrupted else 0)


if __name__ == "__main__":
    main()
