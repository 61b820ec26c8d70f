"""Running what `ecgtune sweep` has planned: anew, or on from where it stands."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ecgtune.cli.console import show_error, stderr, stdout
from ecgtune.cli.heard import heard_once
from ecgtune.cli.sweep_options import SweepOptions
from ecgtune.config import Scalar, Stage
from ecgtune.convolution_path import wanted_path
from ecgtune.errors import EcgtuneError, InputError
from ecgtune.imports import without_collection

if TYPE_CHECKING:
    from ecgtune.space import SearchSpace
    from ecgtune.sweep.engine import RaySession
    from ecgtune.sweep.folder import SweepFolder
    from ecgtune.sweep.plan import SweepPlan
    from ecgtune.sweep.runner import SweepOutcome
    from ecgtune.sweep.unchanged import Given

# Of NVIDIA and of AMD.
_GPU_DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))


def new_folder(stage: Stage, asked: SweepOptions) -> "SweepFolder":
    """The folder of a sweep that begins; its name is made up where none was given.

    Raises:
        InputError: it exists already.
    """
    from ecgtune.files import refuse_existing
    from ecgtune.sweep.folder import sweep_folder

    folder = sweep_folder(asked.results, asked.name or f"{stage}-{datetime.now():%Y%m%d-%H%M%S}")
    if folder.definition.is_file() and not asked.overwrite:
        raise InputError(
            f"{folder.path} exists already: go on with it with --resume, choose another --name, or pass --overwrite "
            "to replace it."
        )
    refuse_existing(folder.path, overwrite=asked.overwrite)
    return folder


def begin(make_plan: "Callable[[], SweepPlan]", space: "SearchSpace", asked: SweepOptions) -> None:
    """Run a new sweep, from the winners of earlier ones if asked; what is wrong with those is told first."""

    def plan() -> "SweepPlan":
        if not asked.warm_start:
            return make_plan()
        from ecgtune.sweep.warm_start import earlier_winners

        winners, notes = earlier_winners(space, asked.results, asked.warm_start)
        made = make_plan()
        return replace(made, winners=winners, notes=(*made.notes, *notes))

    _run(plan, asked, space.settings.num_samples)


def typed(
    stage: Stage,
    asked: SweepOptions,
    settings: dict[str, Scalar | None],
    job: dict[str, Scalar | None],
    data: Sequence[Path],
    *,
    model: Path | None = None,
    random_encoder: bool = False,
) -> "Given":
    """What was typed beside --resume."""
    from ecgtune.space import find_space, read_space
    from ecgtune.sweep.unchanged import Given

    space = None if asked.space is None else read_space(find_space(asked.space, stage), stage)
    settings = {"max_epochs": asked.max_epochs, "seed": asked.seed, **settings}
    return Given(space, settings, {**job, "convolution": asked.convolution}, data, model, random_encoder)


def go_on(stage: Stage, asked: SweepOptions, given: "Callable[[], Given]") -> None:
    """Resume a sweep, or extend it; what was typed has to be what it was begun with."""
    from ecgtune.sweep.folder import sweep_folder

    folder = sweep_folder(asked.results, asked.name or "")
    found = folder.read()["sweep"]["stage"]
    if found != stage:
        raise InputError(
            f"{folder.name} is a sweep of the {found} stage; go on with it with `ecgtune sweep {found} ... --resume`."
        )

    def plan() -> "SweepPlan":
        from ecgtune.sweep.planning import plan_again
        from ecgtune.sweep.unchanged import require_unchanged

        require_unchanged(folder, given())
        return plan_again(folder, asked.resources(), asked.num_samples)

    _run(plan, asked)


def _run(make_plan: "Callable[[], SweepPlan]", asked: SweepOptions, num_samples: int | None = None) -> None:
    """Plan a sweep and run it, and tell what came of it."""
    from ecgtune.uri import below, uri_of

    outcome = _outcome(make_plan, asked, num_samples)
    uri = uri_of(outcome.folder.path.parent)
    place = str(outcome.folder.path) if uri is None else below(uri, outcome.folder.name)
    stdout().print(place, soft_wrap=True, markup=False)
    if uri is not None:
        again = shlex.join(["ecgtune", "status", outcome.folder.name, "--results", uri])
        stderr().print(f"look at it: {again}", soft_wrap=True, markup=False)
    if outcome.interrupted:
        # Who submitted a job is told how to submit it again.
        if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:
            words = _to_go_on(sys.argv[1:], outcome.folder.name, asked)
            stderr().print(f"resume: {shlex.join(words)}", soft_wrap=True, markup=False)
        raise typer.Exit(130)


def _outcome(make_plan: "Callable[[], SweepPlan]", asked: SweepOptions, num_samples: int | None) -> "SweepOutcome":
    """Plan a sweep and run it; meanwhile Ray starts."""
    from ecgtune.cli.progress import SweepProgress

    progress = SweepProgress(stderr())
    measures = _will_measure(asked)
    if asked.address is not None:
        from ecgtune.sweep.knock import knock

        knock(asked.address)  # Before planning, which may take a while.
    with heard_once(progress.note) as require_silence, closing(_session(asked, num_samples, held=measures)) as session:
        try:
            progress.note(_what_comes_first(asked, measures=measures))
            _load(compiles=measures)
            require_silence()
            if measures:
                progress.note(_measure(asked, session))
            with progress:
                plan = replace(make_plan(), command=shlex.join(["ecgtune", *sys.argv[1:]]))
                from ecgtune.sweep.runner import run_sweep

                require_silence()
                return run_sweep(plan, progress, overwrite=asked.overwrite, resume=asked.resume, session=session)
        except EcgtuneError as error:
            # Told now: to stop Ray in the middle of its start takes a moment.
            show_error(str(error))
            raise typer.Exit(error.exit_code) from error


def _to_go_on(words: Sequence[str], name: str, asked: SweepOptions) -> list[str]:
    """The command that goes on with a sweep: the same one again, with its name."""
    named = [] if asked.name else ["--name", name]
    again = [] if asked.resume else ["--resume"]
    return ["ecgtune", *(word for word in words if word != "--overwrite"), *named, *again]


def _session(asked: SweepOptions, num_samples: int | None, *, held: bool) -> "RaySession":
    """Ray, starting in the background."""
    with without_collection():
        from ecgtune.sweep.engine import RaySession

        known = [limit for limit in (asked.max_concurrent, num_samples) if limit is not None]
        return RaySession(asked.address, workers=min(known, default=None), held=held)


def _will_measure(asked: SweepOptions) -> bool:
    """Whether this machine was never measured, and has to be now."""
    if asked.resume or wanted_path(asked.convolution) is not None or _will_use_gpus(asked):
        return False
    from ecgtune.data.cache import cache_folder
    from ecgtune.training.path_cache import is_known

    return not is_known(cache_folder())


def _will_use_gpus(asked: SweepOptions) -> bool:
    """Whether trials use GPUs, as far as can be told without importing PyTorch: there nothing is measured."""
    if asked.gpus_per_trial is not None:
        return asked.gpus_per_trial > 0
    from ecgtune.training.path_cache import pytorch_uses_gpus

    return any(driver.exists() for driver in _GPU_DRIVERS) and pytorch_uses_gpus()


def _measure(asked: SweepOptions, session: "RaySession") -> str:
    """Measure this machine while nothing else computes, since workers do not load yet; says what was found."""
    from ecgtune.data.cache import cache_folder
    from ecgtune.training.path import choose_path
    from ecgtune.training.path_cache import is_kept

    resources = asked.resources()
    session.wait()
    chosen = choose_path(resources.convolution, resources.device)
    session.release()
    lost = (
        f" That cannot be kept, since {cache_folder()} cannot be written: each sweep will find out anew, and each of "
        "its workers compile. ECGTUNE_CACHE names another folder."
    )
    return f"convolutions are computed by `{chosen}`.{'' if is_kept(cache_folder()) else lost}"


def _what_comes_first(asked: SweepOptions, *, measures: bool) -> str:
    where = "starting Ray on this machine" if asked.address is None else f"joining the cluster at {asked.address}"
    trial = "the first trial takes some seconds to begin, on a busy machine up to a minute."
    once = ", and settling how convolutions are fastest here, once" if measures else ""
    return f"{where}{once}; {trial}"


def _load(*, compiles: bool) -> None:
    """Import what planning and running need at once, and without looking for garbage; meanwhile Ray starts.

    Args:
        compiles: whether layers are compiled meanwhile.
    """
    with without_collection(), ThreadPoolExecutor(1) as aside:
        if compiles:
            from ecgtune.training.path import not_compiled

            aside.submit(not_compiled)
        import ecgtune.sweep.drive
        import ecgtune.sweep.planning
        import ecgtune.sweep.runner  # noqa: F401
