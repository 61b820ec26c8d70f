"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from ecgtune.convolution_path import PATHS
from ecgtune.errors import InputError
from ecgtune.uri import is_uri


def _results(given: str | Path) -> Path:
    """The results folder, or what stands for it here where it lies at a URI."""
    if isinstance(given, Path):
        return given
    from ecgtune.sweep.remote_results import results_place

    return results_place(given)


def _data(given: str | Path) -> Path:
    """A data-set folder, or what was downloaded where it lies at a URI."""
    if isinstance(given, Path):
        return given
    if not is_uri(given):
        return Path(given)
    from ecgtune.data.remote_data import data_place  # with pandas, before which a sweep starts Ray

    return data_place(given)


Results: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--results",
        help="The folder that holds all sweeps, or its URI: s3://BUCKET/PATH.",
        parser=_results,
        metavar="PATH",
    ),
]
DataFolders: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        help="A data-set folder or its URI; may be given several times. Default: a small generated DREAMER.",
        parser=_data,
        metavar="PATH",
    ),
]
DataFolder: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="A labelled data-set folder, or its URI; default: the pretext sweep's.",
        parser=_data,
        metavar="PATH",
    ),
]
Name: TypeAlias = Annotated[str | None, typer.Option("--name", help="The sweep's name; default: stage, date and time.")]
Space: TypeAlias = Annotated[
    str | None,
    typer.Option("--space", help="A search-space file, or the name of a shipped one; default: the stage's own."),
]
NumSamples: TypeAlias = Annotated[int | None, typer.Option("--num-samples", min=1, help="Trials in all.")]
MaxEpochs: TypeAlias = Annotated[int | None, typer.Option("--max-epochs", min=1, help="The most epochs of a trial.")]
Seed: TypeAlias = Annotated[int | None, typer.Option("--seed", min=0, help="Of everything that is drawn.")]
MaxConcurrent: TypeAlias = Annotated[
    int | None, typer.Option("--max-concurrent", min=1, help="Trials at once; default: as many as fit.")
]
CpusPerTrial: TypeAlias = Annotated[
    int | None,
    typer.Option("--cpus-per-trial", min=1, help="CPUs, and threads, per trial; default: what the trials leave free."),
]
GpusPerTrial: TypeAlias = Annotated[
    float | None,
    typer.Option("--gpus-per-trial", min=0, help="GPUs per trial, may be a fraction; default: 1 where there is one."),
]
Convolution: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--convolution",
        help=f"How convolutions are computed: auto, {', '.join(PATHS)}; default: what is fastest here, measured once.",
    ),
]
Address: TypeAlias = Annotated[
    str | None, typer.Option("--address", help="A running Ray cluster; default: this machine.")
]
Custom: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--resource", help="NAME=AMOUNT of a cluster's own resource per trial; may be given several times."),
]
ShipData: TypeAlias = Annotated[
    bool, typer.Option("--ship-data", help="Send the data to each node of the cluster once; they need no shared path.")
]
Dashboard: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--address", help="The cluster's dashboard, http://HOST:8265; default: RAY_API_SERVER_ADDRESS, or this machine."
    ),
]
Keep: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--keep",
        min=1,
        help="The models of so many trials are kept, the best; of others the card and predictions stay. Default: 3.",
    ),
]
WarmStart: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--warm-start",
        help="An earlier sweep of the stage, whose best configurations are tried first; may be given several times.",
    ),
]
Overwrite: TypeAlias = Annotated[bool, typer.Option("--overwrite", help="Replace a sweep of the same name.")]
Resume: TypeAlias = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the sweep --name; with a larger --num-samples, extend it."),
]


def amounts(given: list[str]) -> dict[str, float]:
    """What `--resource` asks for.

    Raises:
        InputError: one is not NAME=AMOUNT with an amount above 0.
    """
    found = {}
    for each in given:
        name, _, amount = each.partition("=")
        try:
            found[name] = float(amount)
        except ValueError:
            found[name] = 0.0
        if not name or not 0 < found[name] < float("inf"):
            raise InputError(f"--resource {each}: give NAME=AMOUNT with an amount above 0, e.g. fast=1.")
    return found
