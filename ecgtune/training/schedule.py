"""The learning rate of each epoch, as a pure function."""

import math

from ecgtune.config import SchedulerConfig


def learning_rate(config: SchedulerConfig, base_lr: float, epoch: int, epochs: int) -> float:
    """The rate for one epoch.

    `none` keeps `base_lr`. `decay` multiplies it by `decay` after each epoch. `cosine_w_restarts` climbs for
    `warmup` epochs on a straight line from 0 to `base_lr`, then falls in `cycles` half-cosines, each of which begins
    at `base_lr` again (Loshchilov & Hutter 2017, with hard restarts). Warm-up belongs to the cosine alone.

    With `span="full"` the last half-cosine reaches 0 at the end of the last epoch, and every epoch trains: the first
    of a warm-up does not have the rate 0. A warm-up as long as the run, or longer, is all climb.

    With `span="reported"` the rate is that of the reported trials: 0 in the first epoch of a warm-up, and the
    cosines reach their end at `epochs - warmup`, after which the rate is 0.

    Args:
        config: type, warm-up, cycles, decay and span.
        base_lr: the optimiser's rate, above 0.
        epoch: counted from 0.
        epochs: of the whole run.

    Raises:
        KeyError: no such type of schedule.
    """
    if config.type == "none":
        return base_lr
    if config.type == "decay":
        return base_lr * config.decay**epoch
    if config.type == "cosine_w_restarts":
        return base_lr * _cosine(config, epoch, epochs)
    raise KeyError(config.type)


def _cosine(config: SchedulerConfig, epoch: int, epochs: int) -> float:
    reported = config.span == "reported"
    if epoch < config.warmup:
        return epoch / config.warmup if reported else (epoch + 1) / (config.warmup + 1)
    length = epochs - config.warmup - (config.warmup if reported else 0)
    done = epoch - config.warmup
    if done >= length:
        return 0.0
    return 0.5 * (1.0 + math.cos(math.pi * ((config.cycles * done / length) % 1.0)))
