"""The epochs at which trials are compared with one another."""


def rungs(grace_period: int, reduction_factor: int, max_epochs: int) -> tuple[int, ...]:
    """The rungs below the last epoch, the lowest first.

    Args:
        grace_period: the first rung, from 1.
        reduction_factor: each rung is so many times the one before, from 2.
        max_epochs: the last epoch, at which nothing is left to decide.
    """
    found = []
    rung = grace_period
    while rung < max_epochs:
        found.append(rung)
        rung *= reduction_factor
    return tuple(found)
