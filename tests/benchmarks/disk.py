"""How large is the folder of a pretext sweep of 200 trials that keeps the models of its best, and if it kept all?

    python tests/benchmarks/disk.py [--trials 200] [--keep 3] [--max-epochs 30]

A real sweep (Ray, TPE, ASHA, the shipped space `pretext`, two workers, small generated data) whose trials do not train:
each epoch's scores are computed from the parameters and rise with the epoch. What is written is real: models and
resumable states of the published encoder at pool stride 2 with the largest heads that the space allows (pooling
`max+mean+std`), cards, tables, study and TensorBoard. The baseline is computed: the folder at the end and the bytes
that `retention.log` says were removed. MB are 10^6 bytes.

at the end    the size of the folder when the sweep has finished; what is not a model is part of it
at its peak   the largest size at any start, report or end of a trial; running trials write a state with every report
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from common import arguments, compared, provenance, save, show
from generated import generated_dataset

from ecgtune.config import TRANSFORMS, PretextConfig, configure
from ecgtune.data.store import load_dataset
from ecgtune.models import build_encoder
from ecgtune.pretext import PRETEXT_TASKS
from ecgtune.space import find_space, override, read_space
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.plan import Resources
from ecgtune.sweep.planning import plan_pretext
from ecgtune.sweep.pretext_job import PretextJob
from ecgtune.training.result import EpochResult, Snapshot

WORKERS = 2
WINDOWS, PEOPLE = 20, 5
LIMIT_MB = 100
LARGEST = {"pretext/encoder/pool_stride": 2, "pretext/encoder/pooling": "max+mean+std"}
# What a real epoch reports.
SCORES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_one_vs_rest_accuracy", "val_macro_f1")
SCORES = (*SCORES, "val_embedding_rank", *(f"val_f1/{name}" for name in TRANSFORMS))
PARTS = ("models", "states", "cards", "tensorboard", "study", "tables", "rest")


@dataclass(frozen=True)
class InstantJob(PretextJob):
    """The pretext stage without its training: networks of the right size, and scores from nowhere."""

    def epochs(self, parameters, device, resume, **more):
        config = configure(PretextConfig, parameters, where="trial")
        weights = torch.Generator().manual_seed(self.seed)
        encoder = build_encoder(config.encoder, weights)
        heads = PRETEXT_TASKS[config.task](config).build_heads(encoder, weights)
        optimizer = torch.optim.Adam([*encoder.parameters(), *heads.parameters()])
        for parameter in [*encoder.parameters(), *heads.parameters()]:
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        rate = parameters.get("pretext/adam/lr") or parameters.get("pretext/adamw/lr")

        def snapshot(epoch):
            states = encoder.state_dict(), heads.state_dict()
            named = {"encoder": states[0], "heads": states[1], "optimizer": optimizer.state_dict()}
            return Snapshot(*states, {"epoch": epoch, **named})

        for epoch in range(1 if resume is None else resume["epoch"] + 1, self.max_epochs + 1):
            score = 0.8 - abs(math.log10(rate) + 2.7) / 4 - 0.3 / epoch
            metrics = {name: score + 0.01 * math.sin(number) for number, name in enumerate(SCORES)}
            confusion = np.eye(len(TRANSFORMS), dtype=np.int64)
            yield EpochResult(epoch, 1e-3, metrics, 0.01, 1.0, confusion, lambda e=epoch: snapshot(e), 64)

    def symptom(self, result):
        return ""


class Scale:
    """A display that shows nothing, and weighs the folder whenever a trial starts, reports or ends."""

    def __init__(self, folder):
        self.folder, self.peak = folder, 0

    def weigh(self, *_given):
        self.peak = max(self.peak, sum(sizes(self.folder).values()))

    def __getattr__(self, name):
        moments = ("trial_started", "epoch_finished", "trial_finished")
        return self.weigh if name in moments else lambda *given, **more: None


def sizes(folder):
    """Bytes of each of `PARTS`; a file that goes while it is weighed counts nothing."""
    found = dict.fromkeys(PARTS, 0)
    # Unlike `rglob`, this takes a folder that goes for an empty one.
    for place, _, names in os.walk(folder):
        for path in (Path(place) / name for name in names):
            with suppress(FileNotFoundError):
                found[_part(path.relative_to(folder))] += path.stat().st_size
    return found


def _part(path):
    if path.parts[0] == "tensorboard":
        return "tensorboard"
    if path.name.startswith("state.pt"):
        return "states"
    kinds = {".safetensors": "models", ".json": "cards", ".log": "study", ".csv": "tables"}
    return "rest" if path.name == "retention.log" else kinds.get(path.suffix, "rest")


def sweep(data, place, trials, keep, max_epochs):
    """In a process of its own: run the sweep and write what its folder weighs."""
    from ecgtune.sweep import drive
    from ecgtune.sweep.runner import run_sweep

    # Trials this short would never write one.
    drive.STATE_SECONDS = 0.0
    shipped = read_space(find_space("pretext", "pretext"), "pretext")
    space = replace(
        shipped,
        settings=override(shipped.settings, num_samples=trials, max_epochs=max_epochs, hold_out=0.0),
        parameters=tuple(parameter for parameter in shipped.parameters if parameter.name not in LARGEST),
        fixed={**shipped.fixed, **LARGEST},
    )
    folder = SweepFolder(place / "results" / "disk")
    resources = Resources(cpus_per_trial=1, max_concurrent=WORKERS, convolution="direct", keep=keep)
    plan = plan_pretext(folder, space, [data], resources)
    scale = Scale(folder.path)
    outcome = run_sweep(replace(plan, job=InstantJob(**asdict(plan.job))), scale)
    seen = {
        "keep": keep,
        "trials": len(outcome.trials),
        "epochs": sum(trial.epochs for trial in outcome.trials),
        "end_bytes": sum(sizes(folder.path).values()),
        "peak_bytes": scale.peak,
        "parts_bytes": sizes(folder.path),
        "model_bytes": sum(file.stat().st_size for file in folder.best.iterdir()),
        "blocks_bytes": sum(512 * path.stat().st_blocks for path in folder.path.rglob("*")),
        "removed_bytes": sum(int(line.split("\t")[2]) for line in _models(folder.retention_log)),
        "removed": len(_models(folder.retention_log)),
        "models": len(list(folder.path.glob("trials/*/best/encoder.safetensors"))),
    }
    (place / "seen.json").write_text(json.dumps(seen))


def _models(path):
    """The lines of models; states of trials that waited have lines of their own."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [line for line in lines if line.split("\t")[3].startswith("weights:")]


def measure(data, trials, keep, max_epochs):
    """What the folder of one sweep weighs."""
    with tempfile.TemporaryDirectory() as place:
        asked = [str(data), place, str(trials), str(keep), str(max_epochs)]
        subprocess.run([sys.executable, __file__, "--sweep", *asked], check=True)
        return json.loads((Path(place) / "seen.json").read_text())


def benchmark(data, trials, keep, max_epochs):
    """The sweep, and what its folder would weigh had nothing been removed."""
    ours = measure(data, trials, keep, max_epochs)
    all_kept = ours["end_bytes"] + ours["removed_bytes"]
    comparisons = [
        compared(
            f"folder of a pretext sweep of {trials} trials, {when}: the {keep} best kept against all",
            ours[key] / 1e6,
            all_kept / 1e6,
            "MB",
            less_is_better=True,
        )
        for key, when in (("end_bytes", "at the end"), ("peak_bytes", "at its peak"))
    ]
    return {
        "comparisons": comparisons,
        "limit_mb": LIMIT_MB,
        "within_limit": ours["peak_bytes"] / 1e6 < LIMIT_MB,
        "sweep": ours,
    }


def main():
    if sys.argv[1:2] == ["--sweep"]:
        data, place, *numbers = sys.argv[2:]
        sweep(Path(data), Path(place), *map(int, numbers))
        return
    parser = arguments(__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--keep", type=int, default=3)
    parser.add_argument("--max-epochs", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = generated_dataset(Path(temporary) / "data", WINDOWS, PEOPLE).folder
        where = provenance(load_dataset(data).fingerprint)
        found = benchmark(data, options.trials, options.keep, options.max_epochs)
    seen = found["sweep"]
    parts = ", ".join(f"{part} {size / 1e6:.2f}" for part, size in seen["parts_bytes"].items())
    print(f"{seen['trials']} trials, {seen['epochs']} epochs; MB at the end: {parts}")
    show(found["comparisons"])
    print(f"limit {LIMIT_MB} MB: {'held' if found['within_limit'] else 'exceeded'}")
    save("disk", found, where, options.out)


if __name__ == "__main__":
    main()
