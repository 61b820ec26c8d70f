"""How fast is a pretext training step, by convolution path and micro-batch, and what do its views cost?

    python tests/benchmarks/pretext_step.py [--threads 1 2] [--windows 2 4 8 16] [--pool-strides 2 8] [--seconds 2]
        [--paths fourier tiled]

Prints, per path, thread count, pool stride and micro-batch: views per second of making the views, forward, loss and
backward; and the share of that time which making the views took. The fastest of the repeats counts, since the machine
may be busy. Then, by PyTorch's profiler, what the step's time goes to: matrix products, Fourier transforms of
PyTorch's, copies, what is compiled, and everything else (pooling and activations of PyTorch's; the optimiser is left
out). Last, by PyTorch's counter, the operations of products and convolutions that a view really takes, and what share
of the fastest matrix product they make; it counts a product of complex numbers as one of real ones and transforms not
at all, so too few for fourier. Compared is each path with the first, at the micro-batches that suit them best.
"""

import itertools
from collections import Counter
from contextlib import contextmanager

import torch
from common import arguments, compared, fastest, matmul_peak, provenance, save, show
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.flop_counter import FlopCounterMode

from ecgtune.config import EncoderConfig, PretextConfig
from ecgtune.convolution_path import PATHS
from ecgtune.models import build_encoder
from ecgtune.models.compiled import layers
from ecgtune.pretext import PRETEXT_TASKS
from ecgtune.training.path import candidates, has_bf16_units

# PyTorch's operations, by kind.
KINDS = {
    **dict.fromkeys(["mm", "bmm", "addmm", "baddbmm", "mkldnn_convolution", "convolution_backward"], "products"),
    **dict.fromkeys(["_fft_r2c", "_fft_c2r"], "transforms"),
    "copy": "copies",
    "compiled pieces": "compiled pieces",
}


@contextmanager
def compiled_pieces_named():
    """PyTorch's profiler does not see what is compiled."""
    call = layers.call

    def named(*given):
        with record_function("compiled pieces"):
            call(*given)

    layers.call = named
    try:
        yield
    finally:
        layers.call = call


def measure(path, threads, pool_stride, n_windows, seconds, peak, n_times=2560):
    """One row; the peak in GFLOP/s."""
    torch.set_num_threads(threads)
    config = PretextConfig(encoder=EncoderConfig(pool_stride=pool_stride))
    task = PRETEXT_TASKS[config.task](config)
    generator = torch.Generator().manual_seed(0)
    encoder = build_encoder(config.encoder, generator, path)
    heads = task.build_heads(encoder, generator)
    windows = torch.randn(n_windows, n_times, generator=generator)

    def step():
        out = task.step(encoder, heads, task.views(windows, generator))
        (out.loss + out.penalty).backward()

    step_seconds = fastest(step, seconds)
    views_seconds = fastest(lambda: task.views(windows, generator), seconds / 4)
    spent = Counter()
    with compiled_pieces_named(), profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(3):
            step()
    for each in profiled.key_averages():
        spent[KINDS.get(each.key.removeprefix("aten::").rstrip("_"), "everything else")] += each.self_cpu_time_total
    with FlopCounterMode(display=False) as counted:
        step()
    operations = counted.get_total_flops() / len(task.classes) / n_windows
    return {
        "path": path,
        "threads": threads,
        "pool_stride": pool_stride,
        "windows": n_windows,
        "views_per_second": len(task.classes) * n_windows / step_seconds,
        "views_share": views_seconds / step_seconds,
        "operations_per_view": operations,
        "utilisation": operations * len(task.classes) * n_windows / step_seconds / 1e9 / peak,
        "shares": {kind: time / spent.total() for kind, time in spent.items()},
    }


def comparisons(rows):
    """Each path with the first, both with the micro-batch that suits them best."""
    best = {}
    for row in rows:
        key = row["path"], row["threads"], row["pool_stride"]
        best[key] = max(best.get(key, 0.0), row["views_per_second"])
    first = rows[0]["path"]
    return [
        compared(
            f"{path} and {first}, {threads} threads, pool stride {stride}",
            rate,
            best[first, threads, stride],
            "views/s",
        )
        for (path, threads, stride), rate in best.items()
        if path != first
    ]


def main():
    parser = arguments(__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--windows", type=int, nargs="+", default=[2, 4, 8, 16])
    parser.add_argument("--pool-strides", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=candidates())
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    where = provenance()
    types = (torch.float32, torch.bfloat16) if has_bf16_units() else (torch.float32,)
    peaks = {threads: max(matmul_peak(each, threads) for each in types) for threads in options.threads}
    rows = []
    print("path     threads  stride  windows  views/s  views' share")
    for given in itertools.product(options.paths, options.threads, options.pool_strides, options.windows):
        row = measure(*given, options.seconds, peaks[given[1]])
        rows.append(row)
        print(
            f"{row['path']:8} {row['threads']:7d} {row['pool_stride']:7d} {row['windows']:8d}"
            f" {row['views_per_second']:8.0f} {row['views_share']:13.1%}  "
            + ", ".join(f"{kind} {share:.0%}" for kind, share in row["shares"].items())
            + f"; {row['operations_per_view'] / 1e6:.0f} million operations/view, {row['utilisation']:.0%} of the peak",
            flush=True,
        )
    found = comparisons(rows)
    show(found)
    save("pretext_step", {"comparisons": found, "matmul_peak_gflops": peaks, "rows": rows}, where, options.out)


if __name__ == "__main__":
    main()
