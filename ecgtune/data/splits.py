"""Splits by person. A person is on one side only, for both stages.

Persons are named `data set:subject`, so that the same person is known again in another folder of the same data set.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgtune.errors import DataError, LeakError


@dataclass(frozen=True)
class Split:
    """Indices of windows for training and validation, and the persons on neither side.

    Args:
        train: [n_train] indices.
        val: [n_val] indices.
        held_out: persons that the stage never sees.
    """

    train: NDArray[np.intp]
    val: NDArray[np.intp]
    held_out: tuple[str, ...] = ()


def pretext_split(persons: NDArray[np.str_], *, val_fraction: float, held_out: Collection[str], seed: int) -> Split:
    """Split the windows of a pretext stage by person.

    Args:
        persons: [n_windows].
        val_fraction: of the persons that are not held out, in (0, 1); at least one person goes to each side.
        held_out: persons to leave out altogether, for the emotion stage to validate on.
        seed: of the shuffle.

    Raises:
        DataError: fewer than two persons remain.
    """
    remaining = sorted(set(persons.tolist()) - set(held_out))
    if len(remaining) < 2:
        raise DataError(
            f"a split by person needs at least 2 people in the pretext stage; {len(remaining)} remain "
            f"after {len(held_out)} were held out. Give more data, or hold fewer people out."
        )
    order = np.random.default_rng(seed).permutation(remaining).tolist()
    n_val = min(max(1, round(val_fraction * len(order))), len(order) - 1)
    val = np.isin(persons, order[:n_val])
    train = np.isin(persons, order[n_val:])
    split = Split(np.flatnonzero(train), np.flatnonzero(val), tuple(sorted(held_out)))
    require_disjoint(persons[split.train], persons[split.val])
    return split


def choose_held_out(persons: Collection[str], fraction: float, seed: int) -> tuple[str, ...]:
    """Draw the persons that the pretext stage leaves to the emotion stage, `fraction` of them, rounded."""
    order = np.random.default_rng(seed).permutation(sorted(set(persons))).tolist()
    return tuple(sorted(order[: round(fraction * len(order))]))


def subject_folds(
    persons: NDArray[np.str_],
    classes: NDArray[np.integer],
    *,
    n_folds: int,
    seed: int,
    validate_on: Collection[str] | None = None,
) -> tuple[Split, ...]:
    """Folds for the emotion stage: every eligible person is validated on exactly once.

    Persons are dealt to the folds so that folds are alike in size and in their share of the positive class.
    Persons that are not eligible are in the training side of every fold.

    Args:
        persons: [n_windows].
        classes: [n_windows], 0 or 1.
        n_folds: 2 or more; the number of eligible persons gives leave-one-subject-out.
        seed: of the order in which persons are dealt.
        validate_on: the persons that may be validated on; None means all.

    Raises:
        DataError: too few persons for the folds, or a fold whose training or validation side has one class only.
    """
    everyone = set(persons.tolist())
    eligible = sorted(everyone if validate_on is None else everyone & set(validate_on))
    if not 2 <= n_folds <= len(eligible):
        raise DataError(
            f"{n_folds} folds cannot be made of {len(eligible)} people to validate on; "
            f"choose from 2 to {len(eligible)} folds."
            if len(eligible) >= 2
            else f"{len(eligible)} people to validate on are too few for folds by person; at least 2 are needed."
        )
    folds = tuple(
        Split(np.flatnonzero(~mine), np.flatnonzero(mine))
        for mine in (np.isin(persons, dealt) for dealt in _deal(persons, classes, eligible, n_folds, seed))
    )
    for number, fold in enumerate(folds, start=1):
        require_disjoint(persons[fold.train], persons[fold.val])
        for side, index in (("training", fold.train), ("validation", fold.val)):
            if len(np.unique(classes[index])) < 2:
                raise DataError(
                    f"fold {number} of {n_folds} has only one class in its {side} side. "
                    "Use fewer folds, another threshold or another target."
                )
    return folds


def _deal(
    persons: NDArray[np.str_], classes: NDArray[np.integer], eligible: Sequence[str], n_folds: int, seed: int
) -> list[list[str]]:
    """Give each person, the largest first, to the fold that needs its windows most."""
    counts = {p: np.bincount(classes[persons == p], minlength=2).astype(float) for p in eligible}
    wanted = np.maximum(sum(counts.values()), 1.0) / n_folds
    order = np.random.default_rng(seed).permutation(list(eligible)).tolist()
    order.sort(key=lambda person: -counts[person].sum())
    filled = np.zeros((n_folds, 2))
    dealt: list[list[str]] = [[] for _ in range(n_folds)]
    for person in order:
        after = (filled + counts[person]) / wanted
        # Squared fill grows fastest where a class is full already, so the emptiest fold for this person wins.
        cost = (after**2 - (filled / wanted) ** 2).sum(axis=1)
        fewest = min(map(len, dealt))
        best = min(range(n_folds), key=lambda fold: (len(dealt[fold]) > fewest, cost[fold]))
        dealt[best].append(person)
        filled[best] += counts[person]
    return dealt


def require_disjoint(train: NDArray[np.str_] | Collection[str], val: NDArray[np.str_] | Collection[str]) -> None:
    """Refuse a split that has a person on both sides.

    Raises:
        LeakError: with the persons concerned.
    """
    both = sorted(set(map(str, train)) & set(map(str, val)))
    if both:
        shown = ", ".join(both[:5]) + (f" and {len(both) - 5} more" if len(both) > 5 else "")
        raise LeakError(f"{len(both)} people are on both sides of the split ({shown}); each person must be on one.")
