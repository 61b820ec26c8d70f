"""Ray, started quietly and stopped again; a cluster that runs already is used and left running."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ecgtune.errors import InputError

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
}


# Trials share their data through memory-mapped files, so the object store holds next to nothing.
OBJECT_STORE_BYTES = 200 * 2**20


@contextmanager
def ray_session(address: str | None, cpus: int) -> Iterator[dict[str, float]]:
    """Give the resources of a Ray cluster, e.g. `{"CPU": 2.0}`.

    Args:
        address: of a running cluster, or None to start a local one that ends with the block.
        cpus: of the local cluster.

    Raises:
        InputError: there is no cluster at the address.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray

    for name in ("ray", "ray.tune", "ray.data", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    mine = not ray.is_initialized()
    if mine:
        try:
            ray.init(
                address=address or "local",
                num_cpus=None if address else cpus,
                include_dashboard=None if address else False,
                object_store_memory=None if address else OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            if address is None:
                raise
            raise InputError(
                f"no Ray cluster answers at {address} ({type(error).__name__}). Start one with `ray start --head`, "
                "check the address, and the token where the cluster asks for one; or leave --address out."
            ) from error
    try:
        yield dict(ray.cluster_resources())  # type: ignore[no-untyped-call]
    finally:
        if mine:
            ray.shutdown()
