"""`ecgtune bench`: what this machine was found to do fastest, and how fast that is."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from ecgtune.cli import options
from ecgtune.cli.console import stderr, stdout
from ecgtune.errors import EcgtuneError

_STRIDES = (2, 8)


def bench(
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="CPU threads; 1 is what a sweep gives each of its trials.")
    ] = 1,
    convolution: options.Convolution = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="To spend on each measurement.")] = 3.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the pretext training step on this machine, for every way to compute its convolutions.

    Shows which way was chosen, views per second, and the share of the machine's fastest matrix product. A share above
    100 % means that the way needs fewer operations than the direct one, by whose operations it is counted. The
    start is what the first steps take beyond others; with inductor and cudagraphs PyTorch's compiler works then.
    """
    import torch

    from ecgtune.convolution_path import wanted_path
    from ecgtune.models import fused
    from ecgtune.models.convolution import BFLOAT16
    from ecgtune.training.device import resolve_device
    from ecgtune.training.path import candidates, choose_path, compiled_without_threads, not_compiled, processor
    from ecgtune.training.speed import matmul_peak, step_speed

    where = resolve_device(device)
    asked, chosen = wanted_path(convolution), choose_path(convolution, where)
    paths = tuple(dict.fromkeys([*candidates(where), chosen]))
    peak = max(
        matmul_peak(torch.bfloat16 if path in BFLOAT16 else torch.float32, device=where, threads=threads)
        for path in paths
    )
    on_gpu = where.startswith("cuda")
    fused_reason = fused.why_not(chosen, where) if chosen in fused.FUSED else ""
    rows: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for path in paths:
        for stride in _STRIDES:
            first = ", which PyTorch's compiler has to make first" if path in fused.FUSED and not fused_reason else ""
            stderr().print(f"measuring {path} at pool stride {stride}{first}", soft_wrap=True)
            try:
                speed = step_speed(stride, path, device=where, threads=threads, seconds=seconds)
            except (EcgtuneError, RuntimeError) as error:  # the second is what a GPU and its compiler raise
                failed[path] = str(error).partition("\n")[0]
                break
            share = speed.gflops / peak
            rows.append({"convolution": path, "pool_stride": stride, **asdict(speed), "share_of_peak": share})
    name = torch.cuda.get_device_name(where) if on_gpu else processor()
    reason = "" if on_gpu else not_compiled()
    if as_json:
        found = {
            "device": name,
            "threads": threads,
            "chosen": chosen,
            "asked_for": asked is not None,
            "matmul_peak_gflops": peak,
            "steps": rows,
        }
        found |= {"compiled": not on_gpu and not reason, "why_not_compiled": reason, "why_not_fused": fused_reason}
        stdout().print_json(json.dumps(found | {"failed": failed}))
        raise typer.Exit(bool(failed))
    mark = " (asked for)" if asked else " (chosen)"
    table = Table(box=None, pad_edge=False)
    for title in ("convolution", "stride", "views/s", "GFLOP/s", "of peak", "views' share", "start"):
        table.add_column(title, justify="left" if title == "convolution" else "right")
    for row in rows:
        table.add_row(
            f"{row['convolution']}{mark if row['convolution'] == chosen else ''}",
            str(row["pool_stride"]),
            f"{row['views_per_second']:.0f}",
            f"{row['gflops']:.0f}",
            f"{row['share_of_peak']:.0%}",
            f"{row['share_of_views']:.1%}",
            f"{row['start_s']:.1f} s",
        )
    stdout().print(f"{name}, {threads} thread{'s' if threads > 1 else ''}; matrix product {peak:.0f} GFLOP/s")
    if fused_reason:
        stdout().print(f"{chosen} is computed as bf16: {fused_reason}.")
    elif chosen == "cudagraphs" and not on_gpu:
        stdout().print("Without a GPU cudagraphs is computed as inductor.")
    if reason:
        stdout().print(f"Tiles are computed by PyTorch's operations: {reason}.\nCompiled they would be faster.")
    elif threads > 1 and not on_gpu and compiled_without_threads():
        stdout().print("What is compiled uses one thread, since the compiler knows no OpenMP.")
    stdout().print()
    stdout().print(table)
    for broken, why in failed.items():
        stderr().print(f"error: {broken}: {why}", soft_wrap=True, markup=False)
    raise typer.Exit(bool(failed))
