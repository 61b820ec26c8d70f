"""How fast does one GPU train the pretext stage, alone and shared by several trials?

    python tests/benchmarks/gpu.py [--device cuda] [--trials 1 2 4 8] [--pool-strides 2 8]
        [--paths direct bf16 inductor cudagraphs] [--seconds 4] [--name gpu]

Trials side by side are processes of one thread each on the same device, as `--gpus-per-trial 0.25` makes them: views
per second of all of them together, against those of one alone. Shares are of the whole device's fastest matrix product,
float32 (as PyTorch is set) or bfloat16, by the operations of direct convolutions. What PyTorch's compiler makes
(inductor, and as CUDA graphs) is compared with bf16, for as many trials; `earned after` says how long a trial has to
train until its gain has paid for its start, in which that is made, with an empty cache. Without a GPU it runs on the
CPU, which says nothing of a GPU but that the runner works.
"""

import itertools
from contextlib import nullcontext

import torch
from common import arguments, compared, matmul_peak, provenance, save, show
from side_by_side import SideBySide
from torch._inductor.utils import fresh_cache

from ecgtune.convolution_path import PATHS
from ecgtune.models.fused import FUSED
from ecgtune.training.path import candidates
from ecgtune.training.speed import forward_flops, step_speed


class Steps:
    """Training steps for some seconds; an epoch is their speed."""

    def __init__(self, pool_stride, path, device, seconds):
        self.given = pool_stride, path, device, seconds

    def epoch(self):
        pool_stride, path, device, seconds = self.given
        torch._dynamo.reset()
        with fresh_cache() if path in FUSED else nullcontext():
            speed = step_speed(pool_stride, path, device=device, threads=1, seconds=seconds)
        return speed.views_per_second, speed.share_of_views, speed.start_s


def measure(device, trials, pool_strides, paths, seconds):
    """One row per path, pool stride and number of trials at once."""
    threads = torch.get_num_threads()
    peak = max(matmul_peak(dtype, threads, device=device) for dtype in (torch.float32, torch.bfloat16))
    rows = []
    with SideBySide([(n, 1) for n in trials]) as machine:
        for path, pool_stride, n in itertools.product(paths, pool_strides, trials):
            found = machine.epochs((n, 1), Steps, (pool_stride, path, device, seconds))
            rates, shares, starts = zip(*found, strict=True)
            rate = sum(rates)
            gflops = 3 * forward_flops(pool_stride) * rate / 1e9
            rows.append(
                {
                    "path": path,
                    "pool_stride": pool_stride,
                    "trials": n,
                    "views_per_second": rate,
                    "share_of_peak": gflops / peak,
                    "views_share_of_step": max(shares),
                    "start_s": max(starts),
                }
            )
            print(
                f"{path:10} stride {pool_stride} {n} at once: {rate:8.0f} views/s, {gflops / peak:.0%} of the peak, "
                f"start {max(starts):.1f} s",
                flush=True,
            )
    return {"device": device, "matmul_peak_gflops": peak, "rows": rows}


def comparisons(rows):
    """Several trials at once against the fewest, and what is compiled against bf16; all else being the same."""
    found = []
    for row in rows:
        what = f"{row['path']}, stride {row['pool_stride']}, {row['trials']} at once"
        alone = next(each for each in rows if same(each, row, "path", "pool_stride"))
        if row is not alone:
            found.append(compared(what, row["views_per_second"], alone["views_per_second"], "views/s"))
        plain = [each for each in rows if each["path"] == "bf16" and same(each, row, "pool_stride", "trials")]
        if row["path"] in FUSED and plain:
            beside = compared(f"{what}, and bf16", row["views_per_second"], plain[0]["views_per_second"], "views/s")
            found.append(beside | {"earned_after_s": earned_after(row, plain[0])})
    return found


def same(one, other, *keys):
    """Whether two rows agree in these."""
    return all(one[key] == other[key] for key in keys)


def earned_after(row, plain):
    """Seconds of training after which more views are done than without compiling; None if that never comes."""
    gain = 1 - plain["views_per_second"] / row["views_per_second"]
    return (row["start_s"] - plain["start_s"]) / gain if gain > 0 else None


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
    paths = options.paths or candidates(options.device)
    figures = measure(options.device, options.trials, options.pool_strides, paths, options.seconds)
    figures = {"comparisons": comparisons(figures["rows"]), **figures}
    show(figures["comparisons"])
    for row in figures["comparisons"]:
        if "earned_after_s" in row:
            after = row["earned_after_s"]
            print(f"{row['what']}: earned", "never" if after is None else f"after {after:.0f} s")
    save(options.name, figures, where, options.out)


if __name__ == "__main__":
    main()
