"""`ecgtune data`: raw files to data-set folders."""

import typer

from ecgtune.cli import synth

app = typer.Typer(no_args_is_help=True, help="Prepare, generate and inspect data sets.")
app.add_typer(synth.app, name="synth")


@app.callback()
def _data() -> None:
    pass
