"""A generated person: a heart, electrodes, and what feelings do to them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgtune.data.synthetic.artefacts import Contact, artefacts
from ecgtune.data.synthetic.ecgsyn import WAVES, Morphology, synthesise
from ecgtune.data.synthetic.rr import Rhythm, tachogram

# The axes that the two leads look along in the frontal plane, in degrees: II and I.
_LEAD_AXES = np.array([60.0, 0.0])


@dataclass(frozen=True)
class Person:
    """What stays the same in all recordings of one person."""

    rhythm: Rhythm
    morphology: Morphology
    contact: Contact


@dataclass(frozen=True)
class Feeling:
    """A state of mind, -1 (low) to 1 (high); times the size of the planted effect."""

    arousal: float = 0.0
    valence: float = 0.0


def draw_person(rng: np.random.Generator) -> Person:
    """A person at random: resting rate 55 to 90 per minute, and waves as healthy people have them."""
    n_waves = len(WAVES)
    rhythm = Rhythm(
        rate=rng.uniform(55, 90),
        slow=rng.uniform(0.02, 0.05),
        breathing_sd=rng.uniform(0.012, 0.045),
        breathing=rng.uniform(0.18, 0.32),
    )
    # Sizes (mV) and directions (degrees) of the waves as vectors, of which each lead sees a projection.
    axis = rng.uniform(15, 60)
    size = np.array([0.13, -0.10, 1.20, -0.25, 0.02, 0.24, 0.19]) * np.exp(rng.normal(0, 0.2, n_waves))
    turn = axis + rng.normal(0, 1, n_waves) * np.array([12, 25, 0, 25, 10, 12, 0])
    turn[-1] = turn[-2]
    amplitude = size * np.cos(np.deg2rad(turn - _LEAD_AXES[:, None]))
    time = np.exp(rng.normal(0, 0.05, n_waves))
    time[-1] = time[-2]
    return Person(
        rhythm,
        Morphology(amplitude, time, np.exp(rng.normal(0, 0.08, n_waves))),
        Contact(
            wander=0.06 * np.exp(rng.normal(0, 0.4)),
            hum=0.006 * np.exp(rng.normal(0, 0.6)),
            muscle=0.010 * np.exp(rng.normal(0, 0.4)),
        ),
    )


def record(
    person: Person, n_times: int, sfreq: float, feeling: Feeling, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """One recording.

    What is drawn from `rng` does not depend on `feeling`: two feelings give the same noise and the same breaths.

    Returns:
        Two leads [2, n_times] in mV, and the samples of the R peaks [n_beats].
    """
    of_rhythm, of_noise = rng.spawn(2)
    # Nobody's heart is the same twice, whatever they feel.
    daily = of_rhythm.normal(0, 1, 3)
    rhythm = replace(
        person.rhythm,
        rate=person.rhythm.rate * float(np.exp(0.025 * daily[0])),
        slow=person.rhythm.slow * float(np.exp(0.15 * daily[1])),
        breathing_sd=person.rhythm.breathing_sd * float(np.exp(0.15 * daily[2])),
    )
    rr, respiration = tachogram(n_times, sfreq, felt_rhythm(rhythm, feeling), of_rhythm)
    voltage, peaks = synthesise(
        rr, respiration, felt_morphology(person.morphology, feeling), sfreq, of_rhythm.uniform()
    )
    voltage += artefacts(len(voltage), respiration, sfreq, person.contact, of_noise)
    return voltage, peaks


def felt_rhythm(rhythm: Rhythm, feeling: Feeling) -> Rhythm:
    """Arousal raises the rate by up to 8 % and lowers variability; valence deepens the breathing's part of it."""
    calm = float(np.exp(-0.25 * feeling.arousal))
    return replace(
        rhythm,
        rate=rhythm.rate * float(np.exp(0.08 * feeling.arousal)),
        slow=rhythm.slow * calm,
        breathing_sd=rhythm.breathing_sd * calm * float(np.exp(0.25 * feeling.valence)),
    )


def felt_morphology(morphology: Morphology, feeling: Feeling) -> Morphology:
    """Arousal flattens T and lowers ST a little; valence raises P and R a little."""
    factor = np.ones(len(WAVES))
    factor[[WAVES.index("T"), WAVES.index("T2")]] = np.exp(-0.18 * feeling.arousal)
    factor[[WAVES.index("P"), WAVES.index("R")]] = np.exp(0.05 * feeling.valence)
    amplitude = morphology.amplitude * factor
    amplitude[:, WAVES.index("ST")] -= 0.02 * feeling.arousal
    return replace(morphology, amplitude=amplitude)
