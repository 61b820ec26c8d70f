"""A sweep of sleeping trials on a running cluster, which logs where each epoch was trained.

    python -m tests.cluster.paced FOLDER ADDRESS '{"trials": 6, "epochs": 8, "seconds": 0.2}' [--resume]

Every epoch is reported by itself and leaves a resumable state, unless "defaults" is true. FOLDER/epochs.log has a line
per epoch that was begun: the trial's learning rate, the epoch, the node, the time.
"""

import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgtune.files import write_json
from ecgtune.training.result import EpochResult, Snapshot


@dataclass(frozen=True)
class PacedJob:
    """Epochs that only take time; the loss is the distance of log10(lr) from -3, plus 1/epoch."""

    max_epochs: int
    seconds: float
    log: str
    classes: tuple[str, ...] = ("a", "b")
    folders: tuple[str, ...] = ()

    def epochs(self, parameters, device, resume, *, halved=False):
        import ray

        node, lr = ray.get_runtime_context().get_node_id()[:6], parameters["pretext/adam/lr"]
        for epoch in range(1 if resume is None else resume["epoch"] + 1, self.max_epochs + 1):
            with Path(self.log).open("a") as file:
                file.write(json.dumps({"lr": lr, "epoch": epoch, "node": node, "time": time.time()}) + "\n")
            time.sleep(self.seconds)
            loss = abs(math.log10(lr) + 3) + 1 / epoch
            metrics = {"train_loss": loss, "val_loss": loss, "val_accuracy": -loss}
            state = Snapshot({}, {}, {"epoch": epoch})
            yield EpochResult(epoch, 1e-3, metrics, self.seconds, 1.0, np.eye(2, dtype=np.int64), lambda s=state: s)

    def symptom(self, result):
        return ""

    def figures(self):
        return {}

    def save(self, folder, parameters, result, origin):
        write_json(folder / "model.json", {"epoch": result.epoch, "metrics": result.metrics, "sweep": origin})


def plan(folder, address, trials, epochs, seconds, **resources):
    from ecgtune.space import Float, SearchSpace, SweepSettings
    from ecgtune.sweep.folder import SweepFolder
    from ecgtune.sweep.plan import Resources, SweepPlan

    settings = SweepSettings(
        stage="pretext", metric="val_loss", mode="min", num_samples=trials, max_epochs=epochs, scheduler="none"
    )
    space = SearchSpace(Path("paced.toml"), "", settings, (Float("pretext/adam/lr", 1e-5, 1e-1, log=True),), {})
    job = PacedJob(epochs, seconds, str(folder / "epochs.log"))
    return SweepPlan(SweepFolder(folder / "results" / "paced"), space, job, Resources(address, 1, **resources))


def main():
    folder, address, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    from rich.console import Console

    from ecgtune.cli.progress import SweepProgress
    from ecgtune.errors import EcgtuneError
    from ecgtune.sweep import drive
    from ecgtune.sweep.engine import RaySession
    from ecgtune.sweep.runner import run_sweep

    if not settings.pop("defaults", False):
        drive.BLOCK_SECONDS, drive.STATE_SECONDS = 0.0, 0.0
    try:
        with RaySession(address), SweepProgress(Console(stderr=True, width=200)) as progress:
            from ray import cloudpickle

            from tests.cluster import paced

            # Workers do not have the tests on their path.
            cloudpickle.register_pickle_by_value(paced)
            made = paced.plan(folder, address, **settings)
            outcome = run_sweep(made, progress, resume="--resume" in sys.argv)
    except EcgtuneError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    sys.exit(130 if outcome.interrupted else 0)


if __name__ == "__main__":
    main()
