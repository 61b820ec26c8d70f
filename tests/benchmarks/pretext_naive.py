"""How much faster does ecgtune train the pretext stage than the form that public re-implementations have?

    python tests/benchmarks/pretext_naive.py [--data FOLDER] [--pool-strides 2 8] [--rounds 2] [--windows 64]
        [--name NAME]

Ours is `ecgtune.training.pretrain` as a sweep calls it, theirs is `public_form.py`: the same windows, the same
network, whose outputs are checked to agree before anything is timed. An epoch is everything: loading, views, forward,
backward, optimiser. Both sides take turns and the fastest epoch of each counts. They run with 2 threads in one process
and with 1 thread in each of two processes side by side, as the trials of a sweep do; the naive side with and without
loader processes, whichever is faster. Without --data the windows are generated.

GFLOP/s count two operations per multiply-add of the convolutions and three forward passes for a training step,
whatever is really computed: 3 * sum of 2 * n_in * n_out * kernel * n_positions. The peak is PyTorch's fastest matrix
product, float32 or bfloat16, in one process of 2 threads or two of 1.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import arguments, compared, provenance, save, show
from generated import generated_dataset
from public_form import PublicNetwork, PublicTraining, copy_weights
from side_by_side import SideBySide

from ecgtune.config import EncoderConfig, PretextConfig
from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import Split
from ecgtune.data.store import load_dataset
from ecgtune.models import build_encoder
from ecgtune.models.convolution import BFLOAT16
from ecgtune.pretext import TransformationRecognition
from ecgtune.training.memory import keep_freed_memory
from ecgtune.training.path import choose_path
from ecgtune.training.pretrain import pretrain
from ecgtune.training.speed import forward_flops

# Processes at once, and threads of each.
NAMES = {(1, 2): "1 process of 2 threads", (2, 1): "2 processes of 1 thread"}
SHAPES = tuple(NAMES)
LOADERS = (0, 2)
# Seconds after which no further round begins, per pool stride.
PATIENCE = 80.0


def require_same_network(pool_stride, windows):
    """Assert that both networks, with the same weights, give the same logits for the same views."""
    config = PretextConfig(encoder=EncoderConfig(pool_stride=pool_stride))
    task, generator = TransformationRecognition(config), torch.Generator().manual_seed(0)
    encoder = build_encoder(config.encoder, generator, choose_path(None, "cpu"))
    heads = task.build_heads(encoder, generator).eval()
    network = PublicNetwork(pool_stride).eval()
    copy_weights(network, encoder, heads)
    views = task.views(torch.from_numpy(windows), generator).flatten(0, 1)
    with torch.no_grad():
        ours, theirs = heads(encoder.eval()(views)), network(views)
    scale = float(theirs.std())
    tolerance = 0.05 if encoder.path in BFLOAT16 else 1e-3
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * scale)
    return {"path": encoder.path, "largest_difference": float((ours - theirs).abs().max()) / scale}


class OurTraining:
    """ecgtune's pretraining on the windows of an array; the validation side is one window, and is not timed."""

    def __init__(self, folder, n_windows, pool_stride):
        keep_freed_memory()
        pool = WindowPool([load_dataset(folder)])
        split = training_split(pool, n_windows)
        self.n_views = 7 * len(split.train)
        config = PretextConfig(encoder=EncoderConfig(pool_stride=pool_stride))
        self.results = pretrain(config, pool, split, epochs=1_000, seed=0, path=choose_path(None, "cpu"))

    def epoch(self):
        """Seconds of one epoch of training, and those that making the views took."""
        spent, make = [], TransformationRecognition.views

        def timed(task, windows, generator):
            start = time.perf_counter()
            views = make(task, windows, generator)
            spent.append((time.perf_counter() - start) * (len(windows) > 1))
            return views

        TransformationRecognition.views = timed
        try:
            result = next(self.results)
        finally:
            TransformationRecognition.views = make
        return self.n_views / result.throughput, sum(spent)


class NaiveTraining:
    """The public form on the same windows, read into memory once."""

    def __init__(self, folder, n_windows, pool_stride, loaders):
        pool = WindowPool([load_dataset(folder)])
        self.training = PublicTraining(pool.take(training_split(pool, n_windows).train), pool_stride, loaders)

    def epoch(self):
        start = time.perf_counter()
        self.training.epoch()
        return time.perf_counter() - start, 0.0


def training_split(pool, n_windows):
    """The first windows of all people but the last, and one window of the last."""
    last = pool.persons == pool.persons[-1]
    return Split(np.flatnonzero(~last)[:n_windows], np.flatnonzero(last)[:1])


def measure(machine, folder, n_windows, pool_stride, rounds):
    """{(shape, side): (seconds of the slowest process, of which views)} of the fastest epoch, taken in turns."""
    sides = {"ours": (OurTraining, ()), **{f"naive, {n} loaders": (NaiveTraining, (n,)) for n in LOADERS}}
    found, until = {}, time.monotonic() + PATIENCE
    for number in range(rounds):
        if number and time.monotonic() > until:
            break
        for shape in machine.shapes:
            naive = {name: found[shape, name] for name in sides if name != "ours" and number}
            for name, (make, more) in sides.items():
                if name == "ours" or not naive or name == min(naive, key=naive.get):
                    slowest = max(machine.epochs(shape, make, (folder, n_windows, pool_stride, *more)))
                    found[shape, name] = min(found.get((shape, name), slowest), slowest)
    return found


def figures(found, n_windows, pool_stride, n_times, peak):
    """The comparisons of one pool stride, and what lies behind them."""
    gflop = 3 * forward_flops(pool_stride, n_times) / 1e9
    comparisons, details = [], []
    for shape in dict.fromkeys(shape for shape, _ in found):
        n_views = 7 * n_windows * shape[0]
        rates = {name: n_views / seconds for (where, name), (seconds, _) in found.items() if where == shape}
        ours, (seconds, views_seconds) = rates.pop("ours"), found[shape, "ours"]
        naive = max(rates, key=rates.get)
        what = f"stride {pool_stride}, {NAMES[shape]}"
        comparisons.append(compared(what, ours, rates[naive], "views/s", target=10))
        details.append(
            {
                "what": what,
                "baseline": naive,
                "gflops": ours * gflop,
                "share_of_peak": ours * gflop / peak,
                "baseline_gflops": rates[naive] * gflop,
                "views_share_of_step": views_seconds / seconds,
            }
        )
    return comparisons, details


def benchmark(folder, *, pool_strides, n_windows, rounds):
    """All figures, for a data-set folder."""
    pool = WindowPool([load_dataset(folder)])
    comparisons, details, agreement = [], [], []
    with SideBySide(SHAPES) as machine:
        peak = machine.peak()
        for pool_stride in pool_strides:
            agreement.append(require_same_network(pool_stride, pool.take(np.arange(2))))
            found = measure(machine, folder, n_windows, pool_stride, rounds)
            peak = max(peak, machine.peak())
            more = figures(found, n_windows, pool_stride, pool.n_times, peak)
            comparisons += more[0]
            details += more[1]
    return {"comparisons": comparisons, "matmul_peak_gflops": peak, "details": details, "agreement": agreement}


def main():
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, help="a data-set folder; default: generated windows")
    parser.add_argument("--pool-strides", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--name", default="pretext_naive", help="of the file of figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.data or generated_dataset(Path(temporary) / "data", 2 * options.windows, 2).folder
        where = provenance(load_dataset(folder).fingerprint)
        found = benchmark(folder, pool_strides=options.pool_strides, n_windows=options.windows, rounds=options.rounds)
    show(found["comparisons"])
    print(f"matmul peak {found['matmul_peak_gflops']:.0f} GFLOP/s")
    for row in found["details"]:
        print(
            f"{row['what']}: {row['gflops']:.0f} GFLOP/s, {row['share_of_peak']:.0%} of the peak "
            f"(naive {row['baseline_gflops']:.0f}); views {row['views_share_of_step']:.1%} of the step"
        )
    save(options.name, found, where, options.out)


if __name__ == "__main__":
    main()
