"""An emotion sweep as its `sweep.toml` defines it, and whether two of them can be compared."""

from dataclasses import dataclass

from ecgtune.errors import InputError
from ecgtune.evaluation.statistics import METRICS, Metric
from ecgtune.space import SearchSpace, space_from
from ecgtune.sweep.emotion_job import EmotionJob
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.lineage import EncoderOrigin, encoder_origin
from ecgtune.sweep.paths import job_entries
from ecgtune.sweep.standing import with_its_encoder


@dataclass(frozen=True)
class EmotionSweep:
    """An emotion sweep that has a best model.

    Args:
        folder: of the sweep.
        space: what was searched, and how.
        job: what each trial trained on.
        fingerprint: of the data set that it was begun with.
        origin: where its encoder comes from.
    """

    folder: SweepFolder
    space: SearchSpace
    job: EmotionJob
    fingerprint: str
    origin: EncoderOrigin

    @property
    def metric(self) -> Metric:
        """The sweep's own metric where it can be told from the predictions alone, else balanced accuracy."""
        names: dict[str, Metric] = {f"val_{metric}": metric for metric in METRICS}
        return names.get(self.space.settings.metric, "balanced_accuracy")

    @property
    def not_corrected(self) -> tuple[str, ...]:
        """What else used the validated people, before there were predictions to resample."""
        settings = self.space.settings
        used = ["each trial's best epoch"]
        if settings.scheduler != "none":
            used.append(f"the trials that {settings.scheduler.removesuffix('_promote').upper()} stopped")
        if settings.searcher not in ("random", "grid"):
            used.append(f"the configurations that {settings.searcher.upper()} proposed")
        return tuple(used)


def emotion_sweep(folder: SweepFolder) -> EmotionSweep:
    """Read an emotion sweep.

    Raises:
        InputError: it is no emotion sweep, has no best model, or its pretext model has been replaced.
    """
    content = folder.read()
    if content["sweep"]["stage"] != "emotion":
        raise InputError(f"{folder.name} is a {content['sweep']['stage']} sweep; evaluate takes emotion sweeps.")
    if not (folder.best / "model.json").is_file():
        raise InputError(f"{folder.name} has no best model yet; let the sweep finish a trial first.")
    content = with_its_encoder(folder, content)
    return EmotionSweep(
        folder,
        space_from({key: content[key] for key in ("question", "sweep", "parameters")}, folder.definition),
        EmotionJob(**job_entries(content["job"], folder)),
        str(content["data"][0]["fingerprint"]),
        encoder_origin(content),
    )


def require_comparable(first: EmotionSweep, other: EmotionSweep) -> None:
    """Refuse two sweeps that answer different questions.

    Raises:
        InputError: with every difference in data, target and threshold.
    """
    compared = (
        ("data fingerprint", first.fingerprint[:12], other.fingerprint[:12]),
        ("target", first.job.target, other.job.target),
        ("threshold", f"{first.job.threshold:g}", f"{other.job.threshold:g}"),
    )
    differences = [f"{name}: {one} and {two}" for name, one, two in compared if one != two]
    if differences:
        raise InputError(
            f"{first.folder.name} and {other.folder.name} cannot be compared, because they differ in "
            f"{'; '.join(differences)}. Evaluate them one by one."
        )
