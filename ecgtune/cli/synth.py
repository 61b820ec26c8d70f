"""`ecgtune data synth`: generated data in the formats of real sets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ecgtune.cli.console import stderr, stdout

app = typer.Typer(no_args_is_help=True, help="Generate data in a real set's own format, with a planted effect.")


@app.callback()
def _synth() -> None:
    pass


@app.command()
def dreamer(
    out: Annotated[Path, typer.Option("--out", help="The MAT-file to make.", dir_okay=False)],
    subjects: Annotated[int, typer.Option(help="People, 1 to 99.")] = 23,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Stimulus ECG per person; 18 clips of one 10-s window need 3. Without it, the real file's 62.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same file.")] = 0,
    effect: Annotated[
        float, typer.Option(help="What ratings do to the ECG: 1 moves the heart rate by up to 8 %, 0 plants nothing.")
    ] = 1.0,
    eeg: Annotated[bool, typer.Option(help="Fill the EEG too, with noise, as a full-size file has it.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Generate a DREAMER.mat: 18 film clips, two leads, ratings around the published means.

    Example: ecgtune data synth dreamer --out DREAMER.mat --subjects 8 --minutes 6 --no-eeg
    """
    from ecgtune.data.synthetic.dreamer import write_dreamer

    columns = (TextColumn("generating"), BarColumn(), MofNCompleteColumn(), TextColumn("people"), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task("generating", total=subjects)
        write_dreamer(
            out,
            subjects=subjects,
            minutes=minutes,
            seed=seed,
            effect=effect,
            eeg=eeg,
            overwrite=overwrite,
            progress=lambda done: bar.update(task, completed=done),
        )
    stdout().print(
        f"{out}: {subjects} people, effect {effect:g}, seed {seed}, {out.stat().st_size / 2**20:.1f} MiB",
        soft_wrap=True,
    )
