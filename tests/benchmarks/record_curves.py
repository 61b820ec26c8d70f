"""Record the learning curves of every configuration of a small space, so that searches can be replayed over them.

    python tests/benchmarks/record_curves.py --space results/curves/pretext.toml --data MITDB --epochs 27
    python tests/benchmarks/record_curves.py --space results/curves/emotion.toml --data EEGMAT --model MODEL \\
        --epochs 100

MITDB and EEGMAT are folders made by `ecgtune data prepare`, MODEL a pretext model. Each configuration is trained to its
last epoch, by `--processes` processes of one thread. `NAME.parquet` beside the space gets a row per configuration and
epoch: `configuration` (counted from 0, in the order of the space's grid), `epoch`, every metric, the share of the most
frequent prediction, the seconds of processor time that the epoch took, and the parameters. Processor time, because a
curve should cost the same whatever else the machine did. `NAME.json` tells where the numbers come from.

A run that was interrupted goes on where it was: configurations that are done lie in `--partial`. A space that has grown
keeps what `NAME.parquet` holds already, if that was recorded on the same data for as many epochs.
"""

import itertools
import json
import random
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch
from common import arguments, provenance

from ecgtune.data.store import load_dataset
from ecgtune.files import replaced, write_json
from ecgtune.space import read_space
from ecgtune.space.grid import points
from ecgtune.sweep.emotion_job import EmotionJob
from ecgtune.sweep.pretext_job import PretextJob
from ecgtune.training.emotion_data import emotion_data


def build_job(space, options):
    """The job that a sweep over the space would have."""
    settings = space.settings
    if settings.stage == "pretext":
        return PretextJob(
            data=(str(options.data),),
            held_out=(),
            val_fraction=settings.val_fraction,
            max_epochs=options.epochs,
            seed=settings.seed,
            convolution="fourier",
        )
    dataset = load_dataset(options.data)
    target, _ = dataset.target(None)
    return EmotionJob(
        data=str(options.data),
        model=str(options.model),
        target=target.name,
        threshold=target.threshold,
        folds=settings.folds,
        transductive=False,
        max_epochs=options.epochs,
        seed=settings.seed,
    )


def curve(job, number, parameters, file):
    """Train one configuration to its end and keep its rows, unless a run beside this one has done it by now."""
    if file.exists():
        return number
    torch.set_num_threads(1)
    rows, before = [], time.process_time()
    for result in job.epochs(parameters, "cpu", None):
        now = time.process_time()
        share = result.confusion.sum(axis=0).max() / result.confusion.sum()
        rows.append(
            {"configuration": number, "epoch": result.epoch, "lr": result.lr}
            | dict(result.metrics)
            | {"largest_share": float(share), "seconds": now - before}
            | parameters
        )
        before = now
    with replaced(file) as temporary:
        temporary.write_text(json.dumps(rows))
    return number


def take_over(out, stem, points_, epochs, fingerprint, folder):
    """Write what an earlier recording holds of the points into the folder for what is done; gives its provenance."""
    try:
        before = json.loads((out / f"{stem}.json").read_text())
    except FileNotFoundError:
        return []
    if (before["data_fingerprint"], before["epochs"]) != (fingerprint, epochs):
        return []
    known = pd.read_parquet(out / f"{stem}.parquet")
    curves = {number: curve.to_dict("records") for number, curve in known.groupby("configuration")}
    for number, point in enumerate(points_):
        file = folder / f"{number:05d}.json"
        same = (rows for rows in curves.values() if all(rows[0].get(name) == value for name, value in point.items()))
        rows = next(same, None)
        if rows is not None and not file.exists():
            with replaced(file) as temporary:
                temporary.write_text(json.dumps([row | {"configuration": number} for row in rows]))
    return [*before.pop("earlier", []), before]


def main():
    """Command line."""
    parser = arguments(__doc__)
    parser.add_argument("--space", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=None, help="emotion stage: the pretext model")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=int, default=None, help="so many configurations only")
    parser.add_argument("--partial", type=Path, default=Path("curves-partial"), help="keeps what is done")
    options = parser.parse_args()
    found = provenance(load_dataset(options.data).fingerprint)
    space = read_space(options.space)
    job = build_job(replace(space, settings=replace(space.settings, num_samples=1)), options)
    if options.model is not None:  # once, so that the processes find the embeddings in the cache
        emotion_data(
            load_dataset(options.data), options.model, target=job.target, threshold=job.threshold,
            n_folds=job.folds, seed=job.seed, transductive=False, cache=None, path="fourier",
        )  # fmt: skip
    folder = options.partial / options.space.stem
    folder.mkdir(parents=True, exist_ok=True)
    grid = list(itertools.islice(points(space.parameters, space.fixed), options.limit))
    out = options.out if options.out != parser.get_default("out") else options.space.parent
    everything = [{**space.fixed, **point} for point in grid]
    fingerprint = load_dataset(options.data).fingerprint
    earlier = take_over(out, options.space.stem, everything, options.epochs, fingerprint, folder)
    todo = [number for number in range(len(grid)) if not (folder / f"{number:05d}.json").exists()]
    # In a random order, so that a run that is cut short has seen all sides of the space.
    random.Random(0).shuffle(todo)
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as processes:
        runs = [
            processes.submit(curve, job, number, everything[number], folder / f"{number:05d}.json") for number in todo
        ]
        for done, run in enumerate(as_completed(runs), start=len(grid) - len(todo) + 1):
            print(f"{done} of {len(grid)}: configuration {run.result()}", flush=True)
    rows = itertools.chain.from_iterable(json.loads((folder / f"{n:05d}.json").read_text()) for n in range(len(grid)))
    table = pd.DataFrame(rows)
    with replaced(out / f"{options.space.stem}.parquet") as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")
    about = {"configurations": len(grid), "epochs": options.epochs, "metric": space.settings.metric}
    write_json(out / f"{options.space.stem}.json", found | about | ({"earlier": earlier} if earlier else {}))
    print(f"{len(grid)} configurations, {len(table)} rows: {out / options.space.stem}.parquet")


if __name__ == "__main__":
    main()
