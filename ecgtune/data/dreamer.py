"""DREAMER (Katsigiannis & Ramzan 2018, IEEE JBHI 22:98): 23 people, 18 film clips, two leads at 256 Hz, self-ratings.

The file holds about 2 GB of EEG that is not wanted here, so it is read as a stream (see `matfile`): once to check all
of it, before anything is written, and once for the signals, one person at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.matfile import MatNode, MatPath, walk_mat
from ecgtune.data.naming import list_mistakes
from ecgtune.data.recording import Kind, Recording
from ecgtune.data.store import Target
from ecgtune.errors import DataError

SFREQ = 256.0
LEADS = ("lead1", "lead2")
TARGETS = (
    Target("arousal", 3.0, "self-rating from 1 (uninterested, bored) to 5 (excited, alert)"),
    Target("valence", 3.0, "self-rating from 1 (unpleasant) to 5 (pleasant)"),
    Target("dominance", 3.0, "self-rating from 1 (helpless) to 5 (in control)"),
)
SCORES = {"arousal": "ScoreArousal", "valence": "ScoreValence", "dominance": "ScoreDominance"}
_PARTS: Mapping[str, Kind] = {"baseline": "baseline", "stimuli": "stimulus"}

# Where things are in the file: a person is `("DREAMER", 0, "Data", i)`, a signal `(*person, 0, "ECG", 0, part, clip)`.
_RATE: MatPath = ("DREAMER", 0, "ECG_SamplingRate")
_PEOPLE: MatPath = ("DREAMER", 0, "Data")
_SIGNAL_DEPTH = 9


@dataclass
class DreamerReader:
    """Reads DREAMER person by person; see `open_dreamer`."""

    path: Path
    scores: Mapping[int, Mapping[str, NDArray[np.float64]]]
    notes: list[str] = field(default_factory=list)
    name: str = "dreamer"
    targets: tuple[Target, ...] = TARGETS

    @property
    def sources(self) -> tuple[Path, ...]:
        """The file."""
        return (self.path,)

    @property
    def n_subjects(self) -> int:
        """The number of persons."""
        return len(self.scores)

    def subjects(self) -> Iterator[tuple[str, Sequence[Recording]]]:
        """Every person with a baseline and a stimulus recording for each clip, in the file's order."""
        signals = (node for node in walk_mat(self.path, _wanted_signal) if node.values is not None)
        for person, nodes in groupby(signals, key=_person):
            yield _subject(person), [self._recording(person, node) for node in nodes]

    def _recording(self, person: int, node: MatNode) -> Recording:
        part, clip = str(node.path[-2]), int(node.path[-1])
        scores = self.scores[person] if part == "stimuli" else {}
        return Recording(
            subject=_subject(person),
            stimulus=_clip(clip),
            signal=np.asarray(node.values, dtype=np.float64).T,
            sfreq=SFREQ,
            labels={name: float(scores[name][clip]) for name in scores},
            kind=_PARTS[part],
            leads=LEADS,
            source=f"{self.path}: person {_subject(person)}, {part}, {_clip(clip)}",
        )


def open_dreamer(path: Path) -> DreamerReader:
    """Open `DREAMER.mat` and check all of it.

    Persons are `01`.. and clips `clip01`.. in the file's order. A baseline carries no labels. A missing (NaN) rating
    stays missing: the recording is kept, for the pretext stage and the other targets.

    Raises:
        DataError: not a MAT-file that can be read, or not DREAMER's structure, with all that is wrong in it.
    """
    nodes: dict[MatPath, MatNode] = {}
    found = []
    for node in walk_mat(path, _wanted_check):
        nodes[node.path] = node
        if len(node.path) == 1:
            found.append(str(node.path[0]))
    if "DREAMER" not in found:
        raise DataError(
            f"{path} has no variable DREAMER; it has: {', '.join(found) or 'nothing'}. "
            "The file DREAMER.mat as its authors give it is expected."
        )
    people = _count(nodes, _PEOPLE, "cell")
    if not people:
        fields = ", ".join(nodes["DREAMER",].fields) or "none"
        raise DataError(f"{path}: DREAMER has no cell array Data with a person in each cell; its fields are: {fields}.")
    mistakes, notes = _rate_mistakes(nodes.get(_RATE)), list[str]()
    scores: dict[int, dict[str, NDArray[np.float64]]] = {}
    for person in range(people):
        place = f"Data{{{person + 1}}}"
        n_clips, wrong = _signal_mistakes(nodes, (*_PEOPLE, person), place)
        scores[person], wrong_scores = _read_scores(nodes, (*_PEOPLE, person), place, n_clips)
        mistakes += wrong + wrong_scores
        for name, values in scores[person].items():
            if missing := [_clip(clip) for clip, score in enumerate(values) if np.isnan(score)]:
                notes.append(f"person {_subject(person)}: no {name} rating of {', '.join(missing)}; kept without it.")
    if mistakes:
        raise DataError(list_mistakes(path, mistakes))
    return DreamerReader(path, scores, notes)


def _subject(person: int) -> str:
    return f"{person + 1:02d}"


def _clip(clip: int) -> str:
    return f"clip{clip + 1:02d}"


def _person(node: MatNode) -> int:
    return int(node.path[3])


def _wanted_check(path: MatPath) -> bool:
    """Whether the first reading looks into an array: the frame, the rate and the scores, but no signal."""
    if path[0] != "DREAMER" or len(path) >= _SIGNAL_DEPTH:
        return False
    if len(path) >= 3 and path[:3] not in (_RATE, _PEOPLE):
        return False
    return len(path) < 6 or path[5] in ("ECG", *SCORES.values())


def _wanted_signal(path: MatPath) -> bool:
    """Whether the second reading looks into an array: what leads to the ECG, and the ECG."""
    frame: MatPath = (*_PEOPLE, path[3] if len(path) > 3 else 0, 0, "ECG", 0)
    n = min(len(path), len(frame))
    return path[:n] == frame[:n] and (len(path) <= len(frame) or path[len(frame)] in _PARTS)


def _count(nodes: Mapping[MatPath, MatNode], path: MatPath, kind: str) -> int:
    """The number of elements of an array of that kind; 0 where there is none."""
    node = nodes.get(path)
    return int(np.prod(node.shape)) if node is not None and node.kind == kind else 0


def _rate_mistakes(node: MatNode | None) -> list[str]:
    if node is None:
        return ["DREAMER has no ECG_SamplingRate; 256 (Hz) is expected"]
    rate = node.values
    if rate is None or rate.size != 1 or rate.item() != SFREQ:
        shown = "no number" if rate is None or rate.size != 1 else f"{rate.item():g} Hz"
        return [f"ECG_SamplingRate is {shown}; DREAMER's ECG has 256 Hz. Resampled copies fit `data prepare arrays`"]
    return []


def _signal_mistakes(nodes: Mapping[MatPath, MatNode], person: MatPath, place: str) -> tuple[int, list[str]]:
    """The number of a person's clips, and what is wrong with the signals' frame and shapes."""
    ecg: MatPath = (*person, 0, "ECG")
    if _count(nodes, ecg, "struct") != 1:
        fields = ", ".join(nodes[person].fields) if person in nodes else ""
        return 0, [f"{place} has no struct ECG; it has the fields: {fields or 'none'}"]
    counts = {part: _count(nodes, (*ecg, 0, part), "cell") for part in _PARTS}
    if not counts["stimuli"] or counts["stimuli"] != counts["baseline"]:
        found = " and ".join(f"{count} cells in {part}" for part, count in counts.items())
        return 0, [f"{place}.ECG has {found}; one cell for each clip is expected in both"]
    mistakes = []
    for part, count in counts.items():
        for clip in range(count):
            node = nodes[(*ecg, 0, part, clip)]
            if node.kind != "number" or len(node.shape) != 2 or node.shape[1] != len(LEADS) or not node.shape[0]:
                shape = " x ".join(map(str, node.shape))
                mistakes.append(
                    f"{place}.ECG.{part}{{{clip + 1}}} is {shape} ({node.kind}); N x 2 numbers are expected"
                )
    return counts["stimuli"], mistakes


def _read_scores(
    nodes: Mapping[MatPath, MatNode], person: MatPath, place: str, n_clips: int
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """The person's scores [n_clips] for every target, and what is wrong with them."""
    scores, mistakes = {}, []
    for name, column in SCORES.items():
        node = nodes.get((*person, 0, column))
        if node is None or node.values is None:
            mistakes.append(f"{place} has no numbers {column}")
            continue
        # Small integers may be of an unsigned type, in which a difference of scores would wrap around.
        values = np.asarray(node.values).astype(np.float64).ravel()
        if n_clips and len(values) != n_clips:
            mistakes.append(f"{place}.{column} has {len(values)} scores for {n_clips} clips")
            continue
        if not (np.isnan(values) | ((values >= 1) & (values <= 5))).all():
            worst = values[np.argmax(np.abs(np.nan_to_num(values) - 3))]
            mistakes.append(f"{place}.{column} has the score {worst:g}; DREAMER's scale goes from 1 to 5")
            continue
        scores[name] = values
    return scores, mistakes
