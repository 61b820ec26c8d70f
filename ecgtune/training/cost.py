"""What a training step costs before anyone has taken it, so that a search can weigh gain against time.

Only ratios mean anything. Measured seconds would be truer, but differ from run to run, and with them the configurations
that a seed leads to.
"""

from collections.abc import Mapping
from functools import cache

from ecgtune.config import STAGE_CONFIGS, EncoderConfig, Scalar, Stage, parameters
from ecgtune.training.speed import forward_flops

# Microseconds of one core (AMD EPYC, AVX2). Emotion heads: per window; per step and fold; for each of the weights per
# window, and per step. Of the recorded epochs (results/curves) they tell half to 15 % and nine in ten to 40 %.
_WINDOW, _STEP, _WEIGHT, _WEIGHT_STEP = 1.0, 100.0, 1e-4, 2.2e-3
# Operations of a forward pass that take a microsecond, with its backward pass.
_FORWARD = 25_000
_FEATURES = {"max": 128, "mean": 128, "encoder": 128, "max+mean+std": 384}


def cost(stage: Stage, given: Mapping[str, Scalar]) -> float:
    """Microseconds of training per window, roughly.

    Args:
        stage: `pretext` or `emotion`.
        given: parameters under their slash names; those that are missing have their defaults.
    """
    value = {**_defaults(stage), **given}
    if stage == "pretext":
        return _encoder_cost(int(value["pretext/encoder/pool_stride"]))
    weights = _head_weights(value)
    head = _WINDOW + weights * _WEIGHT + (_STEP + weights * _WEIGHT_STEP) / float(value["emotion/batch_size"])
    # Which encoder that is does not show in the parameters.
    return head + (_encoder_cost(EncoderConfig().pool_stride) if value["emotion/unfreeze"] else 0.0)


def _encoder_cost(pool_stride: int) -> float:
    return forward_flops(pool_stride) / _FORWARD


def _head_weights(value: Mapping[str, Scalar]) -> int:
    n_in, layers = _FEATURES[str(value["emotion/pooling"])], int(value["emotion/head/layers"])
    hidden = int(value["emotion/head/hidden"])
    return n_in * hidden + (layers - 1) * hidden**2 if layers else n_in


@cache
def _defaults(stage: Stage) -> dict[str, Scalar]:
    return parameters(STAGE_CONFIGS[stage]())
