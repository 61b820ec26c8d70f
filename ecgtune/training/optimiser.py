"""Configuration -> optimiser."""

from collections.abc import Iterable

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from ecgtune.config import EmotionConfig, PretextConfig


def base_rate(config: PretextConfig | EmotionConfig) -> float:
    """The learning rate of the optimiser that is chosen, before the schedule."""
    rates = {"adam": config.adam.lr, "adamw": config.adamw.lr, "sgd": config.sgd.lr}
    return rates[config.optimizer]


def build_optimizer(config: PretextConfig | EmotionConfig, *groups: tuple[Iterable[nn.Parameter], float]) -> Optimizer:
    """The optimiser for some groups of parameters, in the form that updates each parameter in one pass over memory.

    Args:
        config: names the optimiser and its settings.
        groups: parameters, and the factor of their rate to the schedule's.
    """
    rate = base_rate(config)
    made = [{"params": list(parameters), "lr": rate * factor, "lr_factor": factor} for parameters, factor in groups]
    if config.optimizer == "adam":
        return Adam(made, lr=rate, fused=True)
    if config.optimizer == "adamw":
        return AdamW(made, lr=rate, weight_decay=config.adamw.weight_decay, fused=True)
    return SGD(made, lr=rate, momentum=config.sgd.momentum, fused=True)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group the rate times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_factor"]
