"""The learning rate of each epoch, as a pure function."""

import math

from ecgtune.config import SchedulerConfig
from ecgtune.errors import ConfigError


def require_room(config: SchedulerConfig, epochs: int, *, stage: str) -> None:
    """Refuse a run that the reported schedule's warm-up fills: the rate would never be the one asked for.

    With a single epoch it would be 0, and nothing would be trained at all.

    Args:
        config: of the schedule.
        epochs: of the whole run.
        stage: for the message.

    Raises:
        ConfigError: a cosine of the span `reported` with `epochs` not above `warmup`.
    """
    if config.type == "cosine_w_restarts" and config.span == "reported" and 0 < epochs <= config.warmup:
        raise ConfigError(
            f"{stage}/scheduler",
            [
                f"a warm-up of {config.warmup} epochs fills all {epochs} of the run, so with span 'reported' the "
                f"learning rate is never reached; run more than {2 * config.warmup} epochs, shorten the warm-up, "
                "or set span to 'full'"
            ],
        )


def learning_rate(config: SchedulerConfig, base_lr: float, epoch: int, epochs: int) -> float:
    """The rate for one epoch.

    `none` keeps `base_lr`. `decay` multiplies it by `decay` after each epoch. `cosine_w_restarts` climbs for
    `warmup` epochs on a straight line from 0 to `base_lr`, then falls in `cycles` half-cosines, each of which begins
    at `base_lr` again (Loshchilov & Hutter 2017, with hard restarts). Warm-up belongs to the cosine alone.

    With `span="full"` the last half-cosine reaches 0 at the end of the last epoch, and every epoch trains: the first
    of a warm-up does not have the rate 0. A warm-up as long as the run, or longer, is all climb.

    With `span="reported"` the rate is that of the reported trials, to the last bit: 0 in the first epoch of a
    warm-up, and the cosines reach their end at `epochs - warmup`, after which the rate is 0. Those trials had 100
    epochs. With at most `2 * warmup` the formula leaves the cosines no room, and after the climb the rate is 0 for
    good: what is trained is trained in the climb. With at most `warmup` see `require_room`.

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
