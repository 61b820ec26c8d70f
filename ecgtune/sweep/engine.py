"""Ray, started quietly and stopped again; a cluster that runs already is used and left running."""

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib

from ecgtune.errors import EcgtuneError, InputError
from ecgtune.sweep.hold import Hold
from ecgtune.sweep.knock import knock
from ecgtune.sweep.local_node import lean_node

# Read by Ray when it is imported or when a run begins, so they are set before either.
_SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    # Seconds that a worker has to finish what it is at, once the sweep is told to stop.
    "TUNE_FORCE_TRIAL_CLEANUP_S": "3",
    # Milliseconds after which a local worker counts as idle and may be ended. Ray's one second passes while a worker
    # still loads, and its trial then waits for another one.
    "RAY_idle_worker_killing_time_threshold_ms": "60000",
}


# Trials share their data through memory-mapped files, so the object store holds next to nothing.
OBJECT_STORE_BYTES = 200 * 2**20
# Seconds after which a thread that computes lets another one have its turn, while Ray starts.
_TURN = 1e-4


class RaySession:
    """A Ray cluster; one that runs already is used and left running.

    Starting one takes seconds, most of which are spent waiting, so it begins as soon as the session is made, in the
    background. Entering the session waits for it and gives the cluster's resources, e.g. `{"CPU": 2.0}`.

    Args:
        address: of a running cluster, or None to start a local one that ends with the session.
        cpus: of the local cluster; None takes all.
        workers: trials at once, as far as known; None means one for each CPU.
        held: whether a local cluster's workers wait before they load, until they are released.
    """

    def __init__(
        self, address: str | None, cpus: int | None = None, *, workers: int | None = None, held: bool = False
    ) -> None:
        self._hold = Hold() if held and address is None else None
        self._address, self._cpus = address, cpus or joblib.cpu_count()
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        if 2 * (workers or self._cpus) >= self._cpus:
            # Ray starts an idle worker for each CPU. Where most will be used, they load what a trial needs at once.
            os.environ.setdefault("RAY_preload_python_modules", "ecgtune.sweep.preload")
        import ray

        for name in ("ray", "ray.tune", "ray.data", "ray.train"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._up, self._over = threading.Event(), threading.Event()
        self._error: Exception | None = None
        # The local cluster's processes die with the thread that started them, so it lives as long as the session.
        self._thread = None if ray.is_initialized() else threading.Thread(target=self._live, name="ray", daemon=True)
        if self._thread is not None:
            self._thread.start()

    def __enter__(self) -> dict[str, float]:
        """Wait for the cluster.

        Raises:
            InputError: there is no cluster at the address, or it does not take us.
            EcgtuneError: Ray does not start on this machine.
        """
        import ray

        self.wait()
        if self._error is not None:
            self._refuse(self._error)
        return dict(ray.cluster_resources())  # type: ignore[no-untyped-call]

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self) -> None:
        """Wait until the cluster is up, or cannot be reached, which is told when the session is entered."""
        if self._thread is not None:
            self._up.wait()

    def release(self) -> None:
        """Let workers that are held load what a trial needs; a second time does nothing."""
        if self._hold is not None:
            self._hold.release()

    def close(self) -> None:
        """End the local cluster, or leave the other; a second time does nothing."""
        self.release()
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _live(self) -> None:
        import ray

        try:
            _mute_node_messages()
            if self._address is None:
                with lean_node(), _quick_turns():
                    self._init("local", cpus=self._cpus, dashboard=False, store=OBJECT_STORE_BYTES)
            else:
                knock(self._address)
                self._init(self._address)
        except Exception as error:
            self._error = error
        self._up.set()
        self._over.wait()
        ray.shutdown()

    @staticmethod
    def _init(
        address: str, *, cpus: int | None = None, dashboard: bool | None = None, store: int | None = None
    ) -> None:
        import ray

        ray.init(
            address=address,
            num_cpus=cpus,
            include_dashboard=dashboard,
            object_store_memory=store,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )

    def _refuse(self, error: Exception) -> None:
        if not isinstance(error, (OSError, ValueError, RuntimeError)):
            raise error
        if self._address is None:
            said = (str(error).strip().splitlines() or ["no reason given"])[0]
            place = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or tempfile.gettempdir()
            raise EcgtuneError(
                f"Ray does not start on this machine ({type(error).__name__}: {said}). It keeps files in "
                f"{place}/ray: is there room, and can they be written? TMPDIR names another place."
            ) from error
        raise InputError(
            f"the cluster at {self._address} answers, but this process cannot join it ({type(error).__name__}). "
            "A sweep is driven from a node of the cluster: make this machine one with "
            f"`ray start --address={self._address}`, or send the sweep there with `ecgtune submit`."
        ) from error


def _mute_node_messages() -> None:
    """Keep Ray from printing what its node thinks of a worker's death, a page each time; the record says it in a line.

    `log_to_driver` and the loggers' levels do not reach these messages.
    """
    import ray

    worker: Any = ray._private.worker
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_args, **_kwargs: None


@contextmanager
def _quick_turns() -> Iterator[None]:
    """Let threads take turns more often: the main one imports, and would let the one that starts Ray wait each time."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def node_died() -> bool:
    """Whether this process had started a Ray node whose main process, the raylet, is gone."""
    import ray

    # Nowhere else does Ray tell: `ray.nodes()` asks the very process, and then ends this one.
    node: Any = ray._private.worker._global_node
    raylets = [] if node is None else node.all_processes.get("raylet", [])
    return any(each.process.poll() is not None for each in raylets)


def use_waiting_workers() -> None:
    """Let trials run in the workers that the local cluster has started already.

    Ray Tune asks for workers with environment variables of its own choice. Those of a local cluster have inherited
    them from this process, but only a worker that was asked for in the same words counts as the same; another one
    would be started, which takes seconds.
    """
    from ray.tune.execution import class_cache

    for name in ("DEFAULT_ENV_VARS", "ENV_VARS_TO_PROPAGATE"):
        getattr(class_cache, name, set()).clear()
