"""All recordings of one person to windows: every step between a reader and the data-set folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.faults import signal_faults
from ecgtune.data.normalisation import by_window, person_scale
from ecgtune.data.preprocessing import Preparation, filled, high_pass, resample
from ecgtune.data.quality import window_flags
from ecgtune.data.recording import Kind, Recording
from ecgtune.data.windows import cut, window_starts


@dataclass(frozen=True)
class WindowedRecording:
    """The windows of one recording.

    Args:
        subject: the person.
        stimulus: what the person saw or did.
        kind: `stimulus` or `baseline`.
        labels: target name -> score; none for a baseline, which never carries the label of what came after it.
        leads: [n_leads] names.
        windows: [n_leads, n_windows, n_times].
        starts: [n_windows] in seconds from the recording's start.
        quality: [n_leads][n_windows], empty for a good window, else its flags joined by `+`.
    """

    subject: str
    stimulus: str
    kind: Kind
    labels: Mapping[str, float]
    leads: tuple[str, ...]
    windows: NDArray[np.float32]
    starts: NDArray[np.float64]
    quality: Sequence[Sequence[str]]

    def rows(self, lead: int) -> list[dict[str, str | float]]:
        """One row of metadata per window of a lead, as `DatasetWriter.add` takes them."""
        common = {"subject": self.subject, "stimulus": self.stimulus, "lead": self.leads[lead], "kind": self.kind}
        return [
            {**common, "start": float(start), "quality": quality}
            for start, quality in zip(self.starts, self.quality[lead], strict=True)
        ]


def prepare_person(
    recordings: Sequence[Recording], preparation: Preparation
) -> tuple[list[WindowedRecording], list[str]]:
    """Prepare everything that was recorded of one person.

    Quality is judged before the high-pass and the normalisation. A recording shorter than a window still counts
    for the person's normalisation. With the normalisation `baseline`, a lead without a baseline recording is dropped.

    Args:
        recordings: all of one person's.
        preparation: the parameters.

    Returns:
        the recordings that gave windows, and a note for each that did not.
    """
    notes: list[str] = []
    kept = [chosen for item in recordings if (chosen := _with_leads(item, preparation.leads, notes)) is not None]
    clean = [resample(filled(item.signal), item.sfreq, preparation.sfreq) for item in kept]
    smooth = [high_pass(signal, preparation.sfreq, preparation.highpass_hz) for signal in clean]
    by_lead = _leads_of(kept, smooth)
    baselines = _leads_of(kept, smooth, baseline_only=True)
    if preparation.normalisation == "baseline":
        for lead in sorted(by_lead.keys() - baselines.keys()):
            subject = kept[0].subject
            notes.append(
                f"{subject}: no baseline recording of lead {lead} to normalise by; choose another normalisation"
            )
            del by_lead[lead]
    scales = {
        lead: person_scale(preparation.normalisation, parts, baselines.get(lead, ())) for lead, parts in by_lead.items()
    }
    out = []
    for item, before, after in zip(kept, clean, smooth, strict=True):
        starts = window_starts(before.shape[1], preparation.n_times, preparation.step)
        rows = [row for row, lead in enumerate(item.leads) if lead in scales]
        if not starts:
            needed = preparation.n_times / preparation.sfreq
            notes.append(f"{_place(item)}: {item.seconds:.1f} s, shorter than a window of {needed:g} s")
        elif rows:
            scaled = np.stack([scales[item.leads[row]].apply(after[row]) for row in rows])
            windows = cut(scaled, starts, preparation.n_times)
            if preparation.normalisation == "window":
                windows = np.stack([by_window(lead) for lead in windows])
            out.append(
                WindowedRecording(
                    subject=item.subject,
                    stimulus=item.stimulus,
                    kind=item.kind,
                    labels={} if item.kind == "baseline" else dict(item.labels),
                    leads=tuple(item.leads[row] for row in rows),
                    windows=windows.astype(np.float32),
                    starts=np.asarray(starts) / preparation.sfreq,
                    quality=[_quality(item, row, before[row], starts, preparation) for row in rows],
                )
            )
    return out, notes


def _with_leads(recording: Recording, wanted: Sequence[str], notes: list[str]) -> Recording | None:
    if not wanted:
        return recording
    rows = [row for row, lead in enumerate(recording.leads) if lead in wanted]
    if rows:
        return _only(recording, rows)
    notes.append(f"{_place(recording)}: it has the leads {', '.join(recording.leads)}, none of {', '.join(wanted)}")
    return None


def _only(recording: Recording, rows: Sequence[int]) -> Recording:
    leads = tuple(recording.leads[row] for row in rows)
    return replace(recording, signal=recording.signal[list(rows)], leads=leads)


def _leads_of(
    recordings: Sequence[Recording], signals: Sequence[NDArray[np.floating]], *, baseline_only: bool = False
) -> dict[str, list[NDArray[np.floating]]]:
    """Lead -> that lead in every recording that has samples."""
    found: dict[str, list[NDArray[np.floating]]] = {}
    for recording, signal in zip(recordings, signals, strict=True):
        if signal.shape[1] and (recording.kind == "baseline" or not baseline_only):
            for lead, row in zip(recording.leads, signal, strict=True):
                found.setdefault(lead, []).append(row)
    return found


def _quality(
    recording: Recording, row: int, signal: NDArray[np.floating], starts: Sequence[int], preparation: Preparation
) -> list[str]:
    faults = signal_faults(recording.signal[row], recording.sfreq)
    return window_flags(faults, recording.sfreq, signal, preparation.sfreq, starts, preparation.n_times)


def _place(recording: Recording) -> str:
    return recording.source or f"{recording.subject} {recording.stimulus}"
