"""The best configurations of earlier sweeps as first points of a new one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from ecgtune.config import STAGE_CONFIGS, Scalar, parameters
from ecgtune.errors import InputError
from ecgtune.space import SearchSpace, is_active, space_from
from ecgtune.sweep.folder import SweepFolder, is_name, sweeps
from ecgtune.sweep.points import FirstPoint, contains
from ecgtune.sweep.remote_results import refreshed

# So many configurations of each sweep are taken.
MOST = 3


def earlier_winners(
    space: SearchSpace, results: Path, names: Sequence[str]
) -> tuple[tuple[FirstPoint, ...], tuple[str, ...]]:
    """The winners of earlier sweeps as points of a new space, and a note on each sweep.

    Args:
        space: of the new sweep.
        results: the results folder.
        names: of sweeps there, or paths of sweep folders.

    Raises:
        InputError: there is no such sweep, it is of the other stage, or none of its trials has ended well.
    """
    winners: list[FirstPoint] = []
    notes = []
    for name in names:
        found, note = _winners(space, _find(results, name))
        winners += found
        notes.append(note)
    return tuple(winners), tuple(notes)


def winner_in(space: SearchSpace, values: Mapping[str, Scalar]) -> dict[str, Scalar] | str:
    """A configuration of an earlier sweep as a point of a new one.

    A parameter that the earlier sweep did not set had its default, and gets it where the new space has it; else it
    is missing, and remains to be drawn.

    Args:
        space: the new one.
        values: the parameters that the earlier sweep had set, the fixed ones included.

    Returns:
        Values of parameters that the new space varies, or the name of the one whose value lies outside.
    """
    defaults = parameters(STAGE_CONFIGS[space.settings.stage]())
    known: dict[str, Scalar] = dict(space.fixed)
    point: dict[str, Scalar] = {}
    for parameter in space.parameters:
        name = parameter.name
        if not is_active(parameter, known):
            continue
        value = values.get(name, defaults[name])
        if contains(parameter, value):
            known[name] = point[name] = value
        elif name in values:
            return name
    return point


def _winners(space: SearchSpace, folder: SweepFolder) -> tuple[list[FirstPoint], str]:
    content = folder.read()
    stage = content["sweep"]["stage"]
    if stage != space.settings.stage:
        raise InputError(
            f"--warm-start {folder.name}: it is a {stage} sweep, and this one is of the {space.settings.stage} stage."
        )
    earlier = space_from({key: content[key] for key in ("question", "sweep", "parameters")}, folder.definition)
    best = _best(folder, minimise=earlier.settings.mode == "min")
    if not best:
        raise InputError(f"--warm-start {folder.name}: none of its trials has ended well. Name another sweep.")
    taken: list[FirstPoint] = []
    outside: list[str] = []
    for trial in best:
        origin = f"{folder.name} trial {trial.number:05d}"
        point = winner_in(space, {**earlier.fixed, **trial.params})
        if isinstance(point, str):
            outside.append(f"{trial.number:05d} ({point} lies outside the space)")
        else:
            taken.append(FirstPoint(origin, point))
    note = f"{len(taken)} of the {len(best)} best configurations of {folder.name} are tried first"
    return taken, note + (f"; not trial {', '.join(outside)}." if outside else ".")


def _best(folder: SweepFolder, *, minimise: bool) -> list[FrozenTrial]:
    """The trials with the best epochs, the best first, of those that did not fail."""
    if not folder.study.is_file():
        return []
    storage = JournalStorage(JournalFileBackend(str(folder.study)))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name=None, storage=storage)
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    sign = 1 if minimise else -1

    def score(trial: FrozenTrial) -> float:
        return min(sign * value for value in trial.intermediate_values.values())

    return sorted((trial for trial in ended if trial.intermediate_values), key=score)[:MOST]


def _find(results: Path, name: str) -> SweepFolder:
    if is_name(name):
        refreshed(results, [name])
    for path in (results / name, Path(name)):
        if (path / "sweep.toml").is_file():
            return SweepFolder(path)
    known = ", ".join(folder.name for folder in sweeps(results)) or "none"
    raise InputError(
        f"--warm-start {name}: no sweep there. Give the name of a sweep in {results} (it has: {known}) "
        "or the folder of one."
    )
