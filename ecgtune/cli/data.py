"""`ecgtune data`: raw files to data-set folders."""

from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ecgtune.cli import synth
from ecgtune.cli.console import stdout
from ecgtune.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ecgtune.data.preprocessing import Normalisation, Preparation
    from ecgtune.data.reader import Reader

app = typer.Typer(no_args_is_help=True, help="Prepare, generate and inspect data sets.")
app.add_typer(synth.app, name="synth")


@app.callback()
def _data() -> None:
    pass


@app.command()
def prepare(
    dataset: Annotated[str, typer.Argument(help="dreamer, eegmat, wfdb or arrays.")],
    path: Annotated[Path, typer.Argument(help="The raw file, or the folder with the raw files.")],
    out: Annotated[Path, typer.Option("--out", help="The data-set folder to make.")],
    normalisation: Annotated[
        str, typer.Option(help="person_trimmed (published), person, window, baseline or none.")
    ] = "person_trimmed",
    highpass: Annotated[float, typer.Option(help="The high-pass in Hz; 0 for none.")] = 0.8,
    step: Annotated[float, typer.Option(help="Seconds from one window to the next; below 10 they overlap.")] = 10.0,
    leads: Annotated[str, typer.Option(help="The leads to keep, as in MLII,V5. Default: all.")] = "",
    name: Annotated[str | None, typer.Option(help="wfdb only: the data set's name. Default: the folder's.")] = None,
    subjects: Annotated[
        Path | None, typer.Option(help="wfdb only: a CSV file with the columns record and subject.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes at work. Default: one per CPU where the data are worth it.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the data-set folder.")] = False,
) -> None:
    """Make a data-set folder from raw files, and tell what was found, flagged and dropped.

    ecgtune data prepare eegmat raw/eegmat --out data/eegmat

    ecgtune data prepare wfdb raw/mitdb --out data/mitdb --leads MLII
    """
    from ecgtune.cli.data_progress import PeopleProgress
    from ecgtune.cli.data_view import notes_list, overview_table
    from ecgtune.data import prepare as preparing
    from ecgtune.files import refuse_existing

    refuse_existing(out, overwrite=overwrite)
    preparation = _preparation(normalisation, highpass, step, leads)
    reader = _open(dataset, path, {"name": name, "subjects": subjects})
    with PeopleProgress(reader.n_subjects) as progress:
        summary = preparing.prepare(
            reader, out, preparation, overwrite=overwrite, workers=workers, on_progress=progress.show
        )
    console = stdout()
    console.print(f"[bold]{reader.name}[/]: {summary.recordings} recordings read, {summary.kept} kept", soft_wrap=True)
    console.print(overview_table(summary.overview, seconds=preparation.n_times / preparation.sfreq))
    console.print(notes_list(summary.notes, where=str(out / "dataset.json")), soft_wrap=True)
    console.print(f"written to {out}, fingerprint {summary.fingerprint[:12]}", soft_wrap=True, markup=False)


@app.command()
def info(
    folder: Annotated[Path, typer.Argument(help="A data-set folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show a data set's people, windows, labels, quality and fingerprint.

    ecgtune data info data/eegmat
    """
    import json

    from ecgtune.cli.data_view import notes_list, overview_table, prepared_as
    from ecgtune.data.overview import overview_of
    from ecgtune.data.store import load_dataset

    data = load_dataset(folder)
    counts = overview_of(data)
    if as_json:
        # The counts are taken from the windows themselves, whatever the file says.
        typer.echo(json.dumps({**data.info, "counts": counts.as_dict()}, indent=2, ensure_ascii=False))
        return
    console = stdout()
    console.print(f"[bold]{data.name}[/]: {folder}", soft_wrap=True)
    table = overview_table(counts, seconds=data.windows.shape[1] / data.sfreq)
    table.add_row("prepared", prepared_as(data.info.get("preparation", {})))
    table.add_row("sources", f"{len(data.info.get('sources', []))} files")
    table.add_row("fingerprint", data.fingerprint)
    console.print(table)
    console.print(notes_list(data.info.get("notes", []), where=str(folder / "dataset.json")), soft_wrap=True)


def _preparation(normalisation: str, highpass: float, step: float, leads: str) -> "Preparation":
    from ecgtune.data.preprocessing import Preparation

    if not 0 < step < inf:
        raise ConfigError("data prepare", [f"--step is {step:g} s; it must be above 0."])
    return Preparation(
        highpass_hz=highpass,
        normalisation=cast("Normalisation", normalisation),  # checked by Preparation, whose message has the choices
        step=round(step * Preparation().sfreq),
        leads=tuple(lead.strip() for lead in leads.split(",") if lead.strip()),
    )


def _open(dataset: str, path: Path, options: dict[str, Any]) -> "Reader":
    from ecgtune.data.datasets import DATASETS

    if dataset not in DATASETS:
        raise DataError(f"{dataset!r} is no data set that can be prepared; choose one of: {', '.join(DATASETS)}.")
    given = {key: value for key, value in options.items() if value is not None}
    if given and dataset != "wfdb":
        raise ConfigError("data prepare", [f"--{key} is for wfdb; {dataset} does not take it." for key in given])
    if not path.exists():
        raise DataError(f"{path} does not exist.")
    return DATASETS[dataset](path, **given)
