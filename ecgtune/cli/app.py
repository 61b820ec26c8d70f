"""The `ecgtune` command and what every subcommand shares: the version, and clean errors."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ecgtune import __version__
from ecgtune.cli import cluster, data, sweep, train
from ecgtune.cli.bench import bench
from ecgtune.cli.clean import clean
from ecgtune.cli.console import show_error
from ecgtune.cli.dashboard import dashboard
from ecgtune.cli.evaluate import evaluate
from ecgtune.cli.jobs import jobs, stop
from ecgtune.cli.status import list_sweeps, status
from ecgtune.cli.submit import submit
from ecgtune.errors import EcgtuneError


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Say that Ctrl-C was heard, before Typer turns it into an exit without a word."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            show_error("interrupted.")
            raise typer.Exit(130) from interrupt


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Hyper-parameter sweeps for two-stage self-supervised ECG models.",
)
app.add_typer(data.app, name="data")
app.add_typer(sweep.app, name="sweep")
app.add_typer(train.app, name="train")
app.add_typer(cluster.app, name="cluster")
app.command()(evaluate)
app.command()(dashboard)
app.command()(bench)
app.command()(status)
app.command("list")(list_sweeps)
app.command()(clean)
# The first word that is no option begins the command that is sent, with two dashes before it or without.
app.command(context_settings={"allow_interspersed_args": False})(submit)
app.command()(jobs)
app.command()(stop)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ecgtune {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; a known error becomes one message and its exit code."""
    try:
        app()
    except EcgtuneError as error:
        show_error(str(error))
        sys.exit(error.exit_code)
