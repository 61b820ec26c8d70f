"""What the benchmarks share: a clock for a noisy machine, its matmul peak, provenance, and figures kept as JSON.

A runner calls `provenance` before it measures, collects its comparisons with `compared`, prints them with `show` and
keeps them with `save`. Its last line is then the place of `results/benchmarks/NAME.json`, which `summary.py` reads.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import joblib
import torch

from ecgtune.files import write_json
from ecgtune.sweep.provenance import machine, versions

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "results" / "benchmarks"
MATMUL_SIZES = (512, 1024, 2048)
GIB = 2**30
MIB = 2**20
# What decides how this processor computes.
VARIABLES = ("CC", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "ECGTUNE_CONVOLUTION")


def arguments(doc):
    """A parser that prints a runner's docstring as its help and knows `--out`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder for NAME.json")
    return parser


def provenance(data_fingerprint=None):
    """What, where, when and on which data was measured; taken before the first measurement."""
    found = versions()
    return {
        "command": command_line(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": found.pop("commit", "unknown"),
        "tree_clean": _tree_clean(),
        "versions": found,
        "machine": {
            "cpu": _cpu("model name"),
            **machine(),
            "cores_usable": joblib.cpu_count(),
            "avx512_bf16": "avx512_bf16" in _cpu("flags").split(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
            "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB, 1),
            "load_before": round(os.getloadavg()[0], 2),
        },
        "data_fingerprint": data_fingerprint,
    }


def command_line():
    """The command as a stranger would type it: no path of this machine in it, but what was set to change its speed."""
    given = [f"{name}={shlex.quote(os.environ[name])}" for name in VARIABLES if name in os.environ]
    return " ".join([*given, "python", *map(_portable, [str(Path(sys.argv[0]).resolve()), *sys.argv[1:]])])


def fastest(call, seconds):
    """Seconds of the fastest of at least three calls, repeated for `seconds`."""
    best, repeats, until = float("inf"), 0, time.perf_counter() + seconds
    while repeats < 3 or time.perf_counter() < until:
        start = time.perf_counter()
        call()
        best, repeats = min(best, time.perf_counter() - start), repeats + 1
    return best


def alternately(calls, rounds):
    """The fastest seconds of each of several calls that return their seconds, taken in turns: A B A B."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], call())
    return best


def matmul_peak(dtype, threads, *, device="cpu", seconds=0.3):
    """GFLOP/s of the fastest square matrix product of PyTorch, counting 2 n^3; best of a few sizes."""
    sizes = MATMUL_SIZES if device == "cpu" else (4096, 8192, 16384)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        best = 0.0
        for size in sizes:
            # Where a type is emulated a large product would take minutes.
            if not best or 2e-9 * size**3 / best < 2.0:
                best = max(best, _matmul_rate(size, dtype, device, seconds))
        return best
    finally:
        torch.set_num_threads(before)


def compared(what, ours, baseline, unit, *, less_is_better=False, target=None):
    """One comparison of two measurements; the ratio is above 1 where ours is better."""
    ratio = baseline / ours if less_is_better else ours / baseline
    row = {"what": what, "unit": unit, "ours": ours, "baseline": baseline, "ratio": ratio}
    return row if target is None else row | {"target": target}


def show(comparisons):
    """Print comparisons as an aligned table, both sides and the ratio."""
    cells = [("", "ours", "baseline", "unit", "ratio")]
    for row in comparisons:
        ratio = f"{row['ratio']:.3g}x" + (f" (target {row['target']:g}x)" if "target" in row else "")
        cells.append((row["what"], f"{row['ours']:.4g}", f"{row['baseline']:.4g}", row["unit"], ratio))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for what, ours, baseline, unit, ratio in cells:
        aligned = (what.ljust(widths[0]), ours.rjust(widths[1]), baseline.rjust(widths[2]), unit.ljust(widths[3]))
        print("  ".join([*aligned, ratio]).rstrip(), flush=True)


def save(name, figures, where, out=RESULTS):
    """Keep figures and provenance `where` as OUT/NAME.json.

    Args:
        name: of the benchmark.
        figures: plain numbers and texts; rows of `compared` under `comparisons`.
        where: from `provenance`.
        out: the folder.
    """
    path = out / f"{name}.json"
    write_json(path, {"benchmark": name, **figures, "provenance": where})
    print(f"written to {_portable(str(path))}")


def _matmul_rate(size, dtype, device, seconds):
    left = torch.randn(size, size, device=device).to(dtype)
    right = torch.randn(size, size, device=device).to(dtype)
    product = torch.empty_like(left)

    def multiply():
        torch.mm(left, right, out=product)
        if device != "cpu":
            torch.cuda.synchronize()

    multiply()
    return 2 * size**3 / fastest(multiply, seconds) / 1e9


def _portable(argument):
    option, equals, value = argument.rpartition("=")
    path = Path(value)
    if not path.is_absolute():
        return argument
    inside = path.is_relative_to(REPOSITORY)
    return option + equals + (str(path.relative_to(REPOSITORY)) if inside else f"FOLDER/{path.name}")


def _tree_clean():
    measured = ["ecgtune", "search_spaces", "tests/benchmarks"]
    asked = ["git", "-C", str(REPOSITORY), "status", "--porcelain", "--", *measured]
    return not subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _cpu(field):
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "unknown")
