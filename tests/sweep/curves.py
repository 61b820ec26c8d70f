"""A job whose learning curves are known, so that a sweep over it can be checked."""

import math
import os
import time
from dataclasses import dataclass

import numpy as np

from ecgtune.errors import StorageError
from ecgtune.files import write_json
from ecgtune.training.result import EpochResult, Snapshot

# What a trial of the job below does, chosen through its batch size.
HEALTHY, NAN, BUG, MEMORY, DIES_ONCE, SLOW, DIES, FULL = 8, 16, 32, 64, 128, 256, 512, 1024
# Memory that suffices for half the micro-batch; predictions that become constant at epoch 5.
TIGHT, COLLAPSES = 2048, 4096


@dataclass(frozen=True)
class CurveJob:
    """Loss = distance of log10(lr) from -3, plus 1/epoch; some batch sizes misbehave at epoch 2."""

    max_epochs: int = 4
    classes: tuple[str, ...] = ("a", "b")
    folders: tuple[str, ...] = ()

    def epochs(self, parameters, device, resume, *, halved=False):
        habit = parameters["pretext/batch_size"]
        for epoch in range(1 if resume is None else resume["epoch"] + 1, self.max_epochs + 1):
            if habit == SLOW:
                time.sleep(0.2)
            if epoch == 2 and habit == BUG:
                raise RuntimeError("a bug\nwith details")
            if epoch == 2 and (habit == MEMORY or (habit == TIGHT and not halved)):
                raise MemoryError("there is no more")
            if epoch == 2 and habit == DIES_ONCE and resume is None:
                os._exit(1)
            if epoch == 3 and habit == DIES:
                os._exit(1)
            if epoch == 2 and habit == FULL:
                raise StorageError("cannot write below x: no space left on device.")
            loss = abs(math.log10(parameters["pretext/adam/lr"]) + 3) + 1 / epoch
            if epoch == 2 and habit == NAN:
                loss = math.nan
            confusion = np.eye(2, dtype=np.int64)
            if epoch >= 5 and habit == COLLAPSES:
                confusion[0, 1] = 1
            metrics = {"train_loss": loss, "val_loss": loss, "val_accuracy": -loss, "val_f1/noise": 0.5}
            yield EpochResult(
                epoch,
                1e-3,
                metrics,
                0.01,
                100.0,
                confusion,
                lambda e=epoch: Snapshot({}, {}, {"epoch": e}),
            )

    def symptom(self, result):
        return "all is called a" if result.confusion[0, 1] else ""

    def figures(self):
        return {}

    def save(self, folder, parameters, result, origin):
        write_json(folder / "model.json", {"epoch": result.epoch, "metrics": result.metrics, "sweep": origin})
