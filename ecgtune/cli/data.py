"""`ecgtune data`: raw files to data-set folders."""

import typer

app = typer.Typer(no_args_is_help=True, help="Prepare, generate and inspect data sets.")


@app.callback()
def _data() -> None:
    pass
