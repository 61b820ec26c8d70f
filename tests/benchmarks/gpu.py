"""How fast does one GPU train the pretext stage, alone and shared by several trials?

    python tests/benchmarks/gpu.py [--device cuda] [--trials 1 2 4 8] [--pool-strides 2 8]
        [--paths direct bf16 inductor cudagraphs] [--seconds 4] [--name gpu]

Trials side by side are processes of one thread each on the same device, as `--gpus-per-trial 0.25` makes them. Once
all have done their first steps they train for the same seconds, and every view counts that any of them trained then:
of all together, against one alone. Shares are of the whole device's fastest matrix product, float32 (as PyTorch is
set) or bfloat16, by the operations of direct convolutions.

What PyTorch's compiler makes (inductor, and as CUDA graphs) is compared with bf16, for as many trials. The start is
what first steps take beyond others: of the first process with an empty cache, of later ones with code that the cache
knows. `earned after` says how long a trial has to train until its gain has paid for the start with an empty cache.

A way that fails is told and does not end the others; the file is written anew after each. Without a GPU it runs on the
CPU, which says nothing of a GPU but that the runner works.
"""

import itertools
import os
import tempfile
import time
from contextlib import contextmanager

import torch
from common import arguments, compared, matmul_peak, provenance, save, show
from side_by_side import SideBySide

from ecgtune.convolution_path import PATHS
from ecgtune.models.fused import FUSED
from ecgtune.training.memory import keep_freed_memory
from ecgtune.training.path import candidates
from ecgtune.training.speed import FIRST_STEPS, PASSES, Step, forward_flops

KEPT = "TORCHINDUCTOR_CACHE_DIR"


class Steps:
    """Training steps for some seconds, after the first ones; an epoch is (views/s, views' share, seconds of start)."""

    def __init__(self, pool_stride, path, device, seconds):
        keep_freed_memory()
        self.seconds, self.step = seconds, Step(pool_stride, path, device)
        self.first = sum(whole for _, whole in (self.step() for _ in range(FIRST_STEPS)))

    def epoch(self):
        began, steps, making = time.perf_counter(), 0, 0.0
        while not steps or time.perf_counter() - began < self.seconds:
            making, steps = making + self.step()[0], steps + 1
        taken = time.perf_counter() - began
        first, self.first = self.first, None
        start = None if first is None else max(first - FIRST_STEPS * taken / steps, 0.0)
        return steps * self.step.n_views / taken, making / taken, start


def measure(device, trials, pool_strides, paths, seconds):
    """Rows, one per number of trials at once, of a path and a pool stride after the other; and what failed."""
    for path, pool_stride in itertools.product(paths, pool_strides):
        rows, failed = [], []
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache,
            _compiler_keeps_in(cache),
            SideBySide([(max(trials), 1)]) as machine,
        ):
            for n in sorted(trials):
                try:
                    found = machine.epochs((n, 1), Steps, (pool_stride, path, device, seconds))
                except Exception as error:  # whatever it is, the others' figures are wanted
                    why = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                    failed.append({"path": path, "pool_stride": pool_stride, "trials": n, "why": why})
                    break
                rows.append(row_of(path, pool_stride, n, found))
        yield rows, failed


@contextmanager
def _compiler_keeps_in(folder):
    """For processes that begin within: PyTorch's compiler finds nothing made before."""
    before = os.environ.get(KEPT)
    os.environ[KEPT] = folder
    try:
        yield
    finally:
        os.environ.pop(KEPT)
        if before is not None:
            os.environ[KEPT] = before


def row_of(path, pool_stride, n, found):
    """What `n` trials at once have given together."""
    rates, shares, starts = zip(*found, strict=True)
    return {
        "path": path,
        "pool_stride": pool_stride,
        "trials": n,
        "views_per_second": sum(rates),
        "gflops": PASSES * forward_flops(pool_stride) * sum(rates) / 1e9,
        "views_share_of_step": max(shares),
        # Of those that began with this row; the others have theirs in an earlier one.
        "start_s": max((each for each in starts if each is not None), default=None),
    }


def comparisons(rows):
    """Several trials at once against the fewest, and what is compiled against bf16; all else being the same."""
    found = []
    for row in rows:
        what = f"{row['path']}, stride {row['pool_stride']}, {row['trials']} at once"
        alone = next(each for each in rows if same(each, row, "path", "pool_stride"))
        if row is not alone:
            found.append(compared(what, row["views_per_second"], alone["views_per_second"], "views/s"))
        plain = [each for each in rows if each["path"] == "bf16" and same(each, row, "pool_stride")]
        beside = [each for each in plain if same(each, row, "trials")]
        if row["path"] in FUSED and beside:
            rates = row["views_per_second"], beside[0]["views_per_second"]
            after = earned_after(*rates, alone["start_s"], plain[0]["start_s"])
            found.append(compared(f"{what}, and bf16", *rates, "views/s") | {"earned_after_s": after})
    return found


def same(one, other, *keys):
    """Whether two rows agree in these."""
    return all(one[key] == other[key] for key in keys)


def earned_after(rate, plain_rate, start, plain_start):
    """Seconds of training after which more views are done than without compiling; None if that never comes."""
    return (rate * start - plain_rate * plain_start) / (rate - plain_rate) if rate > plain_rate else None


def main():
    parser = arguments(__doc__)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=["cuda", "cpu"], default=device)
    parser.add_argument("--trials", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--pool-strides", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--paths", nargs="+", choices=PATHS)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--name", default="gpu", help="of the file that is written")
    options = parser.parse_args()
    where = provenance()
    threads = torch.get_num_threads()
    peak = max(matmul_peak(dtype, threads, device=options.device) for dtype in (torch.float32, torch.bfloat16))
    paths = options.paths or candidates(options.device)
    rows, failed = [], []
    for more, failures in measure(options.device, options.trials, options.pool_strides, paths, options.seconds):
        rows += [row | {"share_of_peak": row["gflops"] / peak} for row in more]
        failed += failures
        for row in rows[len(rows) - len(more) :]:
            start = "" if row["start_s"] is None else f", start {row['start_s']:.1f} s"
            print(
                f"{row['path']:10} stride {row['pool_stride']} {row['trials']} at once: "
                f"{row['views_per_second']:8.0f} views/s, {row['share_of_peak']:.0%} of the peak{start}",
                flush=True,
            )
        for failure in failures:
            print(f"{failure['path']}, stride {failure['pool_stride']}, {failure['trials']} at once: {failure['why']}")
        found = {"device": options.device, "matmul_peak_gflops": peak, "rows": rows, "failed": failed}
        save(options.name, {"comparisons": comparisons(rows), **found}, where, options.out)
    show(comparisons(rows))
    for row in comparisons(rows):
        if "earned_after_s" in row:
            after = row["earned_after_s"]
            print(f"{row['what']}: earned", "never" if after is None else f"after {after:.0f} s")


if __name__ == "__main__":
    main()
