"""`ecgtune sweep`: search the configurations of one stage."""

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgtune.cli import options
from ecgtune.config import Scalar, Stage
from ecgtune.errors import EcgtuneError, InputError

if TYPE_CHECKING:
    from ecgtune.space import SearchSpace
    from ecgtune.sweep.engine import RaySession
    from ecgtune.sweep.folder import SweepFolder
    from ecgtune.sweep.plan import Resources, SweepPlan
    from ecgtune.sweep.unchanged import Given

app = typer.Typer(no_args_is_help=True, help="Search the configurations of one stage.")


@app.command()
def pretext(
    data: options.DataFolders = None,
    space: options.Space = None,
    name: options.Name = None,
    results: options.Results = Path("results"),
    num_samples: options.NumSamples = None,
    max_epochs: options.MaxEpochs = None,
    seed: options.Seed = None,
    hold_out: Annotated[
        float | None,
        typer.Option(
            "--hold-out", min=0, max=0.95, help="The share of a labelled data set's people left to the emotion stage."
        ),
    ] = None,
    max_concurrent: options.MaxConcurrent = None,
    cpus_per_trial: options.CpusPerTrial = None,
    gpus_per_trial: options.GpusPerTrial = None,
    convolution: options.Convolution = None,
    address: options.Address = None,
    resource: options.Custom = None,
    ship_data: options.ShipData = False,
    keep: options.Keep = None,
    warm_start: options.WarmStart = None,
    overwrite: options.Overwrite = False,
    resume: options.Resume = False,
) -> None:
    """Search for the pretext configuration with the best encoder's validation score.

    ecgtune sweep pretext --data data/mitdb --num-samples 12 --max-epochs 6
    """
    custom = options.amounts(resource or [])
    if ship_data and address is None:
        raise InputError("--ship-data sends data to the nodes of a cluster: name one with --address, or leave it out.")
    resources = partial(
        _resources, address, cpus_per_trial, gpus_per_trial, max_concurrent, convolution, keep, custom, ship_data
    )
    if resume:
        settings = {"max_epochs": max_epochs, "seed": seed, "hold_out": hold_out}
        given = partial(_given, "pretext", space, settings, {"convolution": convolution}, data or [])
        _resume(results, name, given, num_samples, resources, address, max_concurrent, overwrite=overwrite)
        return
    chosen = _space(space, "pretext", num_samples=num_samples, max_epochs=max_epochs, seed=seed, hold_out=hold_out)
    folder = _folder(results, name, "pretext", overwrite)

    def plan() -> "SweepPlan":
        from ecgtune.data.generated import generated_dreamer
        from ecgtune.sweep.planning import plan_pretext

        return plan_pretext(folder, chosen, data or [generated_dreamer()], resources())

    _run(partial(_warm_started, plan, chosen, results, warm_start), address, max_concurrent, overwrite=overwrite)


@app.command()
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
    space: options.Space = None,
    name: options.Name = None,
    results: options.Results = Path("results"),
    num_samples: options.NumSamples = None,
    max_epochs: options.MaxEpochs = None,
    seed: options.Seed = None,
    max_concurrent: options.MaxConcurrent = None,
    cpus_per_trial: options.CpusPerTrial = None,
    gpus_per_trial: options.GpusPerTrial = None,
    convolution: options.Convolution = None,
    address: options.Address = None,
    resource: options.Custom = None,
    ship_data: options.ShipData = False,
    keep: options.Keep = None,
    warm_start: options.WarmStart = None,
    overwrite: options.Overwrite = False,
    resume: options.Resume = False,
) -> None:
    """Search for the emotion configuration with the best score over folds by person, on a pretext encoder.

    ecgtune sweep emotion --data data/eegmat --pretext my-pretext --target arithmetic
    """
    from ecgtune.sweep.folder import find_pretext_model

    custom = options.amounts(resource or [])
    if ship_data and address is None:
        raise InputError("--ship-data sends data to the nodes of a cluster: name one with --address, or leave it out.")
    resources = partial(
        _resources, address, cpus_per_trial, gpus_per_trial, max_concurrent, convolution, keep, custom, ship_data
    )
    if resume:
        settings = {"max_epochs": max_epochs, "seed": seed, "folds": folds}
        job = {"target": target, "threshold": threshold, "transductive": transductive or None}
        given = partial(_given, "emotion", space, settings, {**job, "convolution": convolution}, [data] if data else [])
        if pretext is not None:
            given = partial(given, model=find_pretext_model(results, pretext))
        given = partial(given, random_encoder=random_encoder)
        _resume(results, name, given, num_samples, resources, address, max_concurrent, overwrite=overwrite)
        return
    chosen = _space(space, "emotion", num_samples=num_samples, max_epochs=max_epochs, seed=seed, folds=folds)
    folder = _folder(results, name, "emotion", overwrite)
    model = find_pretext_model(results, pretext)

    def plan() -> "SweepPlan":
        from ecgtune.sweep.planning import plan_emotion

        return plan_emotion(
            folder,
            chosen,
            data,
            model,
            resources(),
            target=target,
            threshold=threshold,
            transductive=transductive,
            fewer_folds=folds is None,
            random_weights=random_encoder,
        )

    _run(partial(_warm_started, plan, chosen, results, warm_start), address, max_concurrent, overwrite=overwrite)


def _space(wanted: str | None, stage: Stage, **given: float | None) -> "SearchSpace":
    """The search space, with the command line's settings in place of its own."""
    from ecgtune.space import find_space, override, read_space
    from ecgtune.sweep.finite import require_searchable

    space = read_space(find_space(wanted or stage, stage), stage)
    space = replace(space, settings=override(space.settings, **given))
    require_searchable(space)
    return space


def _warm_started(
    make_plan: "Callable[[], SweepPlan]", space: "SearchSpace", results: Path, names: list[str] | None
) -> "SweepPlan":
    """The plan, beginning with the winners of earlier sweeps; what is wrong with those is told first."""
    if not names:
        return make_plan()
    from ecgtune.sweep.warm_start import earlier_winners

    winners, notes = earlier_winners(space, results, names)
    plan = make_plan()
    return replace(plan, winners=winners, notes=(*plan.notes, *notes))


def _folder(results: Path, name: str | None, stage: Stage, overwrite: bool) -> "SweepFolder":
    from ecgtune.files import refuse_existing
    from ecgtune.sweep.folder import sweep_folder

    folder = sweep_folder(results, name or f"{stage}-{datetime.now():%Y%m%d-%H%M%S}")
    refuse_existing(folder.path, overwrite=overwrite)
    return folder


def _resources(
    address: str | None,
    cpus: int | None,
    gpus: float | None,
    at_once: int | None,
    path: str | None,
    keep: int | None,
    custom: "Mapping[str, float]",
    ship_data: bool,
) -> "Resources":
    import torch

    from ecgtune.sweep.plan import Resources

    if gpus is None:
        gpus = 1.0 if torch.cuda.is_available() else 0.0
    return Resources(address, cpus, gpus, at_once, path, keep, custom, ship_data)


def _given(
    stage: Stage,
    space: str | None,
    settings: "Mapping[str, Scalar | None]",
    job: "Mapping[str, Scalar | None]",
    data: list[Path],
    *,
    model: Path | None = None,
    random_encoder: bool = False,
) -> "Given":
    """What was typed beside --resume."""
    from ecgtune.space import find_space, read_space
    from ecgtune.sweep.unchanged import Given

    asked = None if space is None else read_space(find_space(space, stage), stage)
    return Given(asked, settings, job, data, model, random_encoder)


def _resume(
    results: Path,
    name: str | None,
    given: "Callable[[], Given]",
    num_samples: int | None,
    resources: "Callable[[], Resources]",
    address: str | None,
    max_concurrent: int | None,
    *,
    overwrite: bool,
) -> None:
    from ecgtune.sweep.folder import sweep_folder

    if overwrite:
        raise InputError("--resume goes on with a sweep and --overwrite removes it. Give one of them.")
    if name is None:
        raise InputError("--resume: say which sweep, with --name; `ecgtune list` shows them.")
    folder = sweep_folder(results, name)

    def plan() -> "SweepPlan":
        from ecgtune.sweep.planning import plan_again
        from ecgtune.sweep.unchanged import require_unchanged

        require_unchanged(folder, given())
        return plan_again(folder, resources(), num_samples)

    _run(plan, address, max_concurrent, resume=True)


def _run(
    make_plan: "Callable[[], SweepPlan]",
    address: str | None,
    max_concurrent: int | None,
    *,
    overwrite: bool = False,
    resume: bool = False,
) -> None:
    """Plan a sweep and run it; meanwhile Ray starts."""
    from ecgtune.cli.console import show_error, stderr, stdout
    from ecgtune.cli.progress import SweepProgress
    from ecgtune.remote import shown, uri_of

    session = _session(address, max_concurrent)
    try:
        command = shlex.join(["ecgtune", *sys.argv[1:]])
        plan = replace(make_plan(), command=command)
        from ecgtune.sweep.runner import run_sweep

        with SweepProgress(stderr()) as progress:
            outcome = run_sweep(plan, progress, overwrite=overwrite, resume=resume, session=session)
    except EcgtuneError as error:
        # Told now: to stop Ray in the middle of its start takes a moment.
        show_error(str(error))
        raise typer.Exit(error.exit_code) from error
    finally:
        if session is not None:
            session.close()
    uri = uri_of(outcome.folder.path.parent)
    place = str(outcome.folder.path) if uri is None else f"{shown(uri)}/{outcome.folder.name}"
    stdout().print(place, soft_wrap=True)
    if outcome.interrupted:
        raise typer.Exit(130)


def _session(address: str | None, max_concurrent: int | None) -> "RaySession | None":
    """Ray, starting in the background; None where planning will measure this machine first, and alone."""
    from ecgtune.data.cache import cache_folder

    if address is not None:
        from ecgtune.sweep.knock import knock

        knock(address)  # Before planning, which may take a while.

    if not (cache_folder() / "convolution.json").is_file():
        return None
    from ecgtune.sweep.engine import RaySession

    return RaySession(address, workers=max_concurrent)
