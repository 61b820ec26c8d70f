"""`ecgtune cluster`: what a Ray cluster for ecgtune looks like."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="What a Ray cluster for ecgtune looks like.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def example(
    kuberay: Annotated[
        bool, typer.Option("--kuberay", help="For Kubernetes with KubeRay; default: for `ray up`.")
    ] = False,
) -> None:
    """Print a minimal cluster file; what to edit is marked EDIT.

    ecgtune cluster example > cluster.yaml
    """
    from ecgtune.cluster.example import example as text

    typer.echo(text("kuberay" if kuberay else "launcher"), nl=False)
