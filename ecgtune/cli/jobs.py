"""`ecgtune jobs` and `ecgtune stop`: the sweeps that run on a Ray cluster as jobs."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ecgtune.cli import options
from ecgtune.cli.console import stderr, stdout
from ecgtune.cli.progress_text import duration
from ecgtune.cli.status import AsJson
from ecgtune.cli.submit import tell_ways, watch
from ecgtune.errors import EcgtuneError, InputError

if TYPE_CHECKING:
    from ecgtune.cluster.jobs import SweepJob


def jobs(
    job: Annotated[str | None, typer.Argument(help="One job, or a sweep's newest; default: all.")] = None,
    address: options.Dashboard = None,
    follow: Annotated[bool, typer.Option("--follow", help="Print what the job prints, until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the sweeps that were submitted to a cluster, or follow one.

    ecgtune jobs --address http://HOST:8265
    """
    if follow and job is None:
        raise InputError("--follow: say which job; `ecgtune jobs` lists them.")
    from ecgtune.cluster.jobs import Jobs

    cluster = Jobs(address)
    found = cluster.list() if job is None else [cluster.find(job)]
    if follow:
        watch(cluster, found[0], follow=True)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    if not found:
        stdout().print(f"no sweep was submitted to {cluster.url}.", markup=False, soft_wrap=True)
        return
    rows = [("job", "stage", "state", "begun", "took"), *map(_row, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, complaint in zip(rows, ["", *map(cluster.complaint, found)], strict=True):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for text in (line.rstrip(), f"  {complaint}" if complaint else ""):
            if text:
                stdout().print(text, soft_wrap=True, markup=False)


def stop(
    job: Annotated[str, typer.Argument(help="The job, or a sweep's name for its newest one.")],
    address: options.Dashboard = None,
) -> None:
    """Stop a submitted sweep in good order: what is finished is written, and it can be resumed.

    ecgtune stop my-pretext --address http://HOST:8265
    """
    from ecgtune.cluster.jobs import STOP_SECONDS, Jobs

    cluster = Jobs(address)
    found = cluster.find(job)
    if not cluster.stop(found.job):
        stderr().print(f"{found.job} had ended already: {found.state.lower()}.", soft_wrap=True, markup=False)
        return
    found = cluster.wait(found.job, STOP_SECONDS + 15)
    if not found.over:
        raise EcgtuneError(f"{found.job} was told to stop, and has not ended yet; look again with `ecgtune jobs`.")
    stderr().print(f"{found.job}: {found.state.lower()}", soft_wrap=True, markup=False)
    tell_ways(cluster, found)


def _row(one: "SweepJob") -> tuple[str, ...]:
    return one.job, one.stage, one.state.lower(), one.begun[:16].replace("T", " "), duration(one.seconds)
