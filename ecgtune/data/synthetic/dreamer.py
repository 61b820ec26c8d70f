"""A generated DREAMER.mat: the real file's structure, with feelings planted in the ECG.

Everything about a person comes from the seed and the person's number alone, so person 3 is the same in a file of 4
people and in one of 23; and ratings are drawn apart from the ECG, so that with an effect of 0 they are independent.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.matwriter import Cell, MatValue, Numbers, write_mat
from ecgtune.data.synthetic.person import Feeling, draw_person, record
from ecgtune.errors import DataError
from ecgtune.files import refuse_existing, replaced

SFREQ, EEG_SFREQ = 256, 128
WINDOW = 2560
RESOLUTION = 0.0042  # mV, of a 12-bit recorder; without steps the file would hardly compress
# Seconds of each clip: 364 whole windows of 10 s, the shortest 67 s and the first 199 s long, as in the real file.
CLIP_SECONDS = (199, 95, 187, 257, 132, 175, 279, 212, 150, 256, 67, 208, 185, 393, 241, 170, 303, 217)
BASELINE_SECONDS = 61
# The published mean ratings of the clips. Those of dominance are not at hand, so they are taken to be even.
MEAN_RATINGS: dict[str, tuple[float, ...]] = {
    "valence": (
        *(3.17, 3.04, 4.57, 2.04, 3.22, 2.70, 4.52, 1.35, 1.39),
        *(2.17, 3.96, 3.96, 4.39, 2.35, 2.48, 3.65, 1.52, 2.65),
    ),
    "arousal": (
        *(2.26, 3.00, 3.83, 4.26, 3.70, 3.83, 3.17, 3.96, 3.00),
        *(3.30, 1.96, 2.61, 3.70, 2.22, 3.09, 3.35, 3.00, 3.91),
    ),
    "dominance": (3.0,) * 18,
}
ELECTRODES = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")

Part = Literal["baseline", "stimuli"]
# What a stream of random numbers is for; new ones are added at the end, so that old files can be made again.
_TRAITS, _RATINGS, _SIGNALS, _BRAIN = range(4)


def clip_samples(minutes: float | None = None) -> tuple[list[int], int]:
    """Samples of each clip's ECG, and of a baseline's.

    Args:
        minutes: of stimulus ECG per person. Clips shrink alike, to whole windows of 10 s and to one at least, so
            that 18 clips need 3 minutes; the baseline shrinks with them. None gives the real lengths (62 minutes).

    Raises:
        DataError: `minutes` is not above 0, or more than the real file has.
    """
    full = sum(CLIP_SECONDS) / 60
    if minutes is None:
        return [seconds * SFREQ for seconds in CLIP_SECONDS], BASELINE_SECONDS * SFREQ
    if not 0 < minutes <= full:
        raise DataError(f"{minutes:g} minutes per person cannot be made; choose above 0 and up to {full:g}.")
    share = minutes / full
    scaled = [max(1, round(seconds * share * SFREQ / WINDOW)) * WINDOW for seconds in CLIP_SECONDS]
    return scaled, max(1, round(BASELINE_SECONDS * share * SFREQ / WINDOW)) * WINDOW


def draw_ratings(seed: int, person: int) -> dict[str, NDArray[np.int64]]:
    """A person's ratings [18] from 1 to 5 of valence, arousal and dominance; binomial, with the published means."""
    rng = np.random.default_rng([seed, person, _RATINGS])
    return {name: 1 + rng.binomial(4, (np.array(means) - 1) / 4) for name, means in MEAN_RATINGS.items()}


def record_clip(
    seed: int, person: int, part: Part, clip: int, n_times: int, feeling: Feeling
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """One recording [2, n_times] in mV, and the samples of its R peaks."""
    traits = draw_person(np.random.default_rng([seed, person, _TRAITS]))
    rng = np.random.default_rng([seed, person, _SIGNALS, int(part == "stimuli"), clip])
    return record(traits, n_times, SFREQ, feeling, rng)


def write_dreamer(
    path: Path,
    *,
    subjects: int = 23,
    minutes: float | None = None,
    seed: int = 0,
    effect: float = 1.0,
    eeg: bool = True,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write a generated DREAMER.mat; memory stays that of one recording.

    Args:
        path: the file to make.
        subjects: people, 1 to 99.
        minutes: of stimulus ECG per person; see `clip_samples`.
        seed: 0 or above.
        effect: the size of what ratings do to the ECG; 1 shifts the heart rate by up to 8 %, 0 plants nothing.
        eeg: whether to fill the EEG's cells, with noise; left empty, the file is five times smaller.
        overwrite: whether an existing file may be replaced.
        progress: called after each person's last recording, with the number of people done.

    Raises:
        DataError: an argument out of its range.
        InputError: the file exists and `overwrite` is false.
        StorageError: the disk refused; what was there is unharmed.
    """
    if not 1 <= subjects <= 99:
        raise DataError(f"{subjects} subjects cannot be made; choose from 1 to 99.")
    if seed < 0:
        raise DataError(f"the seed {seed} cannot be used; choose 0 or above.")
    if not abs(effect) <= 5:
        raise DataError(f"an effect of {effect:g} is beyond any heart; choose from -5 to 5, 0 for none.")
    lengths = clip_samples(minutes)
    refuse_existing(path, overwrite=overwrite)
    people = [_person(seed, person, lengths, effect, eeg, progress) for person in range(subjects)]
    with replaced(path) as temporary:
        write_mat(temporary, "DREAMER", _frame(people))


def _frame(people: list[MatValue]) -> dict[str, MatValue]:
    return {
        "Data": Cell((1, len(people)), people),
        "EEG_SamplingRate": float(EEG_SFREQ),
        "ECG_SamplingRate": float(SFREQ),
        "EEG_Electrodes": Cell((1, len(ELECTRODES)), list(ELECTRODES)),
        "noOfSubjects": float(len(people)),
        "noOfVideoSequences": float(len(CLIP_SECONDS)),
        "Disclaimer": "Generated by ecgtune. No person was recorded; the feelings were drawn at random.",
        "Provider": "ecgtune",
        "Version": "generated",
        "Acknowledgement": "Structure after Katsigiannis and Ramzan, IEEE JBHI 22:98-107 (2018).",
    }


def _person(
    seed: int,
    person: int,
    lengths: tuple[list[int], int],
    effect: float,
    eeg: bool,
    progress: Callable[[int], None] | None,
) -> MatValue:
    traits = np.random.default_rng([seed, person, _TRAITS, 1])
    ratings = draw_ratings(seed, person)
    clips, baseline = lengths
    parts: dict[Part, list[int]] = {"baseline": [baseline] * len(clips), "stimuli": clips}

    def feeling(part: Part, clip: int) -> Feeling:
        if part == "baseline":
            return Feeling()
        # Halved, so that the ends of the scale are -1 and 1.
        return Feeling(
            effect * (int(ratings["arousal"][clip]) - 3) / 2, effect * (int(ratings["valence"][clip]) - 3) / 2
        )

    def ecg(part: Part, clip: int, n_times: int) -> NDArray[np.float64]:
        signal, _ = record_clip(seed, person, part, clip, n_times, feeling(part, clip))
        return RESOLUTION * np.round(signal.T / RESOLUTION)

    def scores(name: str) -> NDArray[np.float64]:
        if name == "dominance" and progress:
            progress(person + 1)
        return ratings[name][:, None].astype(np.float64)

    def column(name: str) -> Numbers:
        return Numbers((len(clips), 1), partial(scores, name), "u1")

    return {
        "Age": str(traits.integers(22, 34)),
        "Gender": "male" if traits.random() < 0.6 else "female",
        "EEG": {
            part: _cells([
                Numbers((n, len(ELECTRODES)), partial(_eeg, seed, person, part, clip, n))
                for clip, n in enumerate(n_times * EEG_SFREQ // SFREQ if eeg else 0 for n_times in samples)
            ])
            for part, samples in parts.items()
        },
        "ECG": {
            part: _cells([
                Numbers((n_times, 2), partial(ecg, part, clip, n_times)) for clip, n_times in enumerate(samples)
            ])
            for part, samples in parts.items()
        },
        "ScoreValence": column("valence"),
        "ScoreArousal": column("arousal"),
        "ScoreDominance": column("dominance"),
    }  # fmt: skip


def _cells(items: list[MatValue]) -> Cell:
    return Cell((len(items), 1), items)


def _eeg(seed: int, person: int, part: Part, clip: int, n_times: int) -> NDArray[np.float64]:
    """Noise in steps of the recorder's resolution, in µV."""
    rng = np.random.default_rng([seed, person, _BRAIN, int(part == "stimuli"), clip])
    steps = rng.integers(0, 64, size=(n_times, len(ELECTRODES)), dtype=np.uint8)
    levels = np.asarray(0.5128205 * (8165.0 + np.arange(64)), dtype=np.float64)
    return levels[steps]
