"""`ecgtune sweep`: search the configurations of one stage."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgtune.cli import options
from ecgtune.cli.console import stderr
from ecgtune.cli.sweep_options import SweepOptions, with_sweep_options
from ecgtune.cli.sweep_run import begin, go_on, new_folder, typed

if TYPE_CHECKING:
    from ecgtune.sweep.plan import SweepPlan

app = typer.Typer(no_args_is_help=True, help="Search the configurations of one stage.")


@app.command()
@with_sweep_options
def pretext(
    data: options.DataFolders = None,
    hold_out: Annotated[
        float | None,
        typer.Option(
            "--hold-out", min=0, max=0.95, help="The share of a labelled data set's people left to the emotion stage."
        ),
    ] = None,
    *,
    common: SweepOptions,
) -> None:
    """Search for the pretext configuration with the best encoder's validation score.

    ecgtune sweep pretext --data data/mitdb --num-samples 12 --max-epochs 6
    """
    common.check()
    if common.resume:
        go_on("pretext", common, partial(typed, "pretext", common, {"hold_out": hold_out}, {}, data or []))
        return
    space = common.searched("pretext", hold_out=hold_out)
    _require_datasets(data or [])
    folder = new_folder("pretext", common)

    def plan() -> "SweepPlan":
        from ecgtune.sweep.planning import plan_pretext

        return plan_pretext(folder, space, data or [_generated()], common.resources())

    begin(plan, space, common)


def _require_datasets(folders: Sequence[Path]) -> None:
    """Tell of a folder that holds no data set before Ray starts."""
    for folder in folders:
        try:
            found = (folder / "dataset.json").is_file()
        except OSError:
            found = False
        if not found:
            from ecgtune.data.store import load_dataset

            load_dataset(folder)  # tells what is wrong with it


def _generated() -> Path:
    from ecgtune.data.generated import generated_dreamer

    stderr().print(
        "no --data: this is a small generated DREAMER, made at the first use in some ten seconds.", soft_wrap=True
    )
    return generated_dreamer()


@app.command()
@with_sweep_options
def emotion(
    data: options.DataFolder = None,
    pretext: Annotated[
        str | None,
        typer.Option("--pretext", help="A pretext sweep's name, or a model folder; default: the newest finished one."),
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="A target; default: the data set's first.")] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="A score above it is the positive class; default: the target's.")
    ] = None,
    folds: Annotated[int | None, typer.Option("--folds", min=2, help="Folds by person.")] = None,
    transductive: Annotated[
        bool, typer.Option("--transductive", help="Validate also on people whose ECG the encoder was trained on.")
    ] = False,
    random_encoder: Annotated[
        bool, typer.Option("--random-encoder", help="The baseline: the same architecture with random weights.")
    ] = False,
    *,
    common: SweepOptions,
) -> None:
    """Search for the emotion configuration with the best score over folds by person, on a pretext encoder.

    ecgtune sweep emotion --data data/eegmat --pretext my-pretext --target arithmetic
    """
    from ecgtune.sweep.folder import find_pretext_model

    common.check()
    if common.resume:
        job = {"target": target, "threshold": threshold, "transductive": transductive or None}
        given = partial(typed, "emotion", common, {"folds": folds}, job, [data] if data else [])
        if pretext is not None:
            given = partial(given, model=find_pretext_model(common.results, pretext))
        go_on("emotion", common, partial(given, random_encoder=random_encoder))
        return
    space = common.searched("emotion", folds=folds)
    _require_datasets([data] if data else [])
    folder = new_folder("emotion", common)
    model = find_pretext_model(common.results, pretext)

    def plan() -> "SweepPlan":
        from ecgtune.sweep.planning import plan_emotion

        return plan_emotion(
            folder,
            space,
            data,
            model,
            common.resources(),
            target=target,
            threshold=threshold,
            transductive=transductive,
            fewer_folds=folds is None,
            random_weights=random_encoder,
        )

    begin(plan, space, common)
