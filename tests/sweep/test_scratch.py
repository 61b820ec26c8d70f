"""Workers' scratch folders."""

import signal
import subprocess
import sys

from ecgtune.sweep.scratch import remove_abandoned

HOLD = """
import tempfile, time
tempfile.tempdir = {place!r}
from ecgtune.sweep.scratch import scratch
(scratch() / "state.pt").write_text("x")
print("there", flush=True)
time.sleep(60)
"""


def test_what_a_killed_worker_has_left_goes_with_the_next(tmp_path):
    worker = subprocess.Popen([sys.executable, "-c", HOLD.format(place=str(tmp_path))], stdout=subprocess.PIPE)
    try:
        assert worker.stdout.readline() == b"there\n"
        foreign = tmp_path / "ecgtune-trial-being-made"
        foreign.mkdir()
        remove_abandoned(tmp_path)
        assert len(list(tmp_path.glob("*/trials/state.pt"))) == 1
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [foreign]
