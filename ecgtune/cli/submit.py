"""`ecgtune submit`: a sweep as a job on a Ray cluster."""

import shlex
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgtune.cli import options
from ecgtune.cli.console import show_error, stderr, stdout
from ecgtune.cli.sweep_options import SweepOptions
from ecgtune.config import Stage
from ecgtune.errors import InputError

if TYPE_CHECKING:
    from ecgtune.cluster.jobs import Jobs, SweepJob


def submit(
    words: Annotated[list[str], typer.Argument(metavar="-- sweep STAGE ...", help="The command to run there.")],
    address: options.Dashboard = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the end and exit with the sweep's own code.")
    ] = True,
    follow: Annotated[
        bool | None, typer.Option("--follow/--no-follow", help="Print what the sweep prints; default: while waiting.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", help="A pattern of files of the package not to send; may be given several times."),
    ] = None,
    python: Annotated[str, typer.Option("--python", help="The interpreter on the cluster.")] = "python",
) -> None:
    """Run a sweep on a Ray cluster: sends code and search space, not data or results, which all nodes must see.

    ecgtune submit --address http://HOST:8265 -- sweep pretext --data /shared/mitdb --results /shared/results
    """
    _refuse_credentials(words)
    stage, asked = _understood(words)
    if follow and not wait:
        raise InputError("--follow waits, and --no-wait does not. Give one; `ecgtune jobs JOB --follow` follows later.")
    from ecgtune.cluster.arguments import on_cluster, place
    from ecgtune.cluster.jobs import Jobs
    from ecgtune.cluster.parcel import pack
    from ecgtune.space import find_space
    from ecgtune.space.shipped import shipped_spaces
    from ecgtune.sweep.commit import commit
    from ecgtune.sweep.folder import require_name
    from ecgtune.uri import uri_of

    space = None
    if asked["space"] is not None:
        space = find_space(asked["space"], stage)
        # What was named is there already; what was given as a file is sent, a shipped one too.
        space = None if space in shipped_spaces().values() and not asked["space"].endswith(".toml") else space
    name = asked["name"] or f"{stage}-{datetime.now():%Y%m%d-%H%M%S}"
    require_name(name)
    results = place(uri_of(asked["results"]) or str(asked["results"]))
    there = on_cluster(words, name=name, results=results, space=space)
    jobs = Jobs(address)
    with TemporaryDirectory(prefix="ecgtune-submit-") as folder:
        parcel = pack(Path(folder), space, exclude or ())
        stderr().print(f"sending {parcel} to {jobs.url}", soft_wrap=True, markup=False)
        job = jobs.submit(there, parcel, sweep=name, results=results, python=python, commit=commit())
    stdout().print(job.job, soft_wrap=True, markup=False)
    tell_ways(jobs, job)
    if wait:
        watch(jobs, job, follow=follow is not False)


def watch(jobs: "Jobs", job: "SweepJob", *, follow: bool) -> None:
    """Wait for a job's end, and exit with the sweep's own code; Ctrl-C leaves the job alone."""
    try:
        found = jobs.follow(job.job, lambda text: typer.echo(text, nl=False)) if follow else jobs.wait(job.job)
    except KeyboardInterrupt as interrupt:
        stderr().print(f"\nNo longer watching; {job.job} goes on.", soft_wrap=True, markup=False)
        tell_ways(jobs, job)
        raise typer.Exit(130) from interrupt
    if found.state == "FAILED" and found.exit_code is None:
        show_error(f"{found.job} could not be started: {' '.join(found.message.split())[:500]}")
    elif found.exit_code == 127:
        show_error("the cluster has no such interpreter; name the one that has Ray with --python.")
    stderr().print(f"{found.job}: {found.state.lower()} after {found.seconds:.0f} s", soft_wrap=True, markup=False)
    raise typer.Exit(found.ecgtune_code)


def tell_ways(jobs: "Jobs", job: "SweepJob") -> None:
    """Say how to follow, stop and resume a job."""
    where = f"--address {shlex.quote(jobs.url)}"
    sweep = f"sweep {job.stage} --name {job.sweep} --results {shlex.quote(job.results)} --resume"
    for what, how in (
        ("follow", f"ecgtune jobs {job.job} --follow {where}"),
        ("stop", f"ecgtune stop {job.job} {where}"),
        ("resume", f"ecgtune submit {where} -- {sweep}"),
    ):
        stderr().print(f"{what + ':':8} {how}", soft_wrap=True, markup=False)


def _refuse_credentials(words: list[str]) -> None:
    """Let no secret go to the cluster, nor into a message: first of all."""
    from ecgtune.uri import refuse_credentials

    for word in words:
        refuse_credentials(word)
        refuse_credentials(word.partition("=")[2])


def _understood(words: list[str]) -> tuple[Stage, dict[str, Any]]:
    """The stage and the options of a sweep; what is mistyped is told here and not on the cluster."""
    from ecgtune.cli import sweep

    if words[:1] != ["sweep"] or words[1:2] not in (["pretext"], ["emotion"]):
        raise InputError(
            f"ecgtune submit runs sweeps, and got {shlex.join(words)!r}. Give, after two dashes, sweep pretext or "
            "sweep emotion with its options."
        )
    stage: Stage = "pretext" if words[1] == "pretext" else "emotion"
    group: Any = typer.main.get_command(sweep.app)
    command = group.commands[words[1]]
    asked = dict(command.make_context(f"ecgtune sweep {words[1]}", _without_data(words[2:])).params)
    common = SweepOptions(**{each.name: asked[each.name] for each in fields(SweepOptions)})
    replace(common, address="auto").check()
    if common.convolution not in (None, "auto"):
        from ecgtune.training.path import choose_path

        choose_path(common.convolution, "cpu")
    if not common.resume or common.space is not None:
        common.searched(stage, **{name: asked[name] for name in ("hold_out", "folds") if name in asked})
    return stage, asked


def _without_data(words: list[str]) -> list[str]:
    """The words with a folder in place of each URI of data, which are for the cluster to download."""
    from ecgtune.uri import is_uri

    made = []
    for before, word in zip(["", *words], words, strict=False):
        option, _, value = word.partition("=")
        if option == "--data" and is_uri(value):
            made.append("--data=.")
        else:
            made.append("." if before == "--data" and is_uri(word) else word)
    return made
