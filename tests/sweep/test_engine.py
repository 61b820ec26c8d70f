"""Starting Ray: in the background, for nothing, in vain."""

import subprocess
import sys

import pytest
from ray.tune.execution.class_cache import _ActorClassCache

from ecgtune.sweep.engine import RaySession, use_waiting_workers

pytestmark = pytest.mark.ray


@pytest.mark.usefixtures("ray_cluster")
def test_a_cluster_that_runs_is_used_and_left_running():
    import ray

    with RaySession(None, 7) as available:
        assert available["CPU"] == 2
    assert ray.is_initialized()


def test_a_trial_asks_for_no_other_worker_than_those_that_wait():
    use_waiting_workers()
    actor = _ActorClassCache().get(type("Trainable", (), {}))
    assert not (actor._default_options.get("runtime_env") or {}).get("env_vars")


def run(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_an_address_where_nobody_listens_is_told_soon():
    said = run("""
from ecgtune.errors import InputError
from ecgtune.sweep.engine import RaySession
try:
    with RaySession("127.0.0.1:1"):
        pass
except InputError as error:
    print(str(error).partition(".")[0], "127.0.0.1:1" in str(error))
""")
    assert said == ["no", "Ray", "cluster", "answers", "at", "127", "True"]


def test_ray_that_does_not_start_is_one_message(tmp_path):
    (tmp_path / "file").touch()
    said = run(f"""
import os
os.environ["TMPDIR"] = {str(tmp_path / "file")!r}
from ecgtune.errors import EcgtuneError
from ecgtune.sweep.engine import RaySession
try:
    with RaySession(None, 1):
        pass
except EcgtuneError as error:
    print(error.exit_code, str(error))
""")
    said = " ".join(said)
    assert said.startswith("1 Ray does not start on this machine (NotADirectoryError: ")
    assert f"It keeps files in {tmp_path / 'file'}/ray" in said


def test_the_workers_of_another_cluster_are_not_held():
    said = run("""
import os
from ecgtune.sweep.engine import RaySession
session = RaySession("127.0.0.1:1", held=True)
print("ECGTUNE_WORKERS_WAIT_FOR" in os.environ)
session.close()
""")
    assert said == ["False"]


@pytest.mark.slow
def test_a_session_that_is_never_entered_leaves_nothing_behind():
    said = run("""
import os, signal, subprocess
from ecgtune.sweep.engine import RaySession
session = RaySession(None, 1)
session._up.wait()
children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True).stdout
session.close()
session.close()
after = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True).stdout
print(children.count("raylet") > 0, "raylet" in after)
""")
    assert said == ["True", "False"]


@pytest.mark.slow
def test_the_waiting_workers_load_what_a_trial_needs_once_they_are_let_go_and_are_the_ones_that_run_it():
    said = run("""
import os
from ecgtune.sweep.engine import RaySession, use_waiting_workers
session = RaySession(None, 1, held=True)
with session:
    import ray
    from ray.tune.execution.class_cache import _ActorClassCache
    use_waiting_workers()
    class Trainable:
        def loaded(self):
            import sys
            import gc
            return "ecgtune.sweep.trainable" in sys.modules and gc.isenabled() and gc.get_freeze_count() > 100_000
    actor = _ActorClassCache().get(Trainable).remote()
    loaded = actor.loaded.remote()
    answered, _ = ray.wait([loaded], timeout=2.0)
    session.release()
    print(len(answered), ray.get(loaded))
""")
    assert said == ["0", "True"]
