"""Configuration -> optimiser.

PyTorch's own optimiser classes load its compiler when the first one is made: two seconds of every worker's start, and
half a millisecond of every step after that. The kernels below them update a parameter in one pass over memory.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ecgtune.config import EmotionConfig, PretextConfig

# Updates weights in place, given their gradients, their buffers (a list for each kind of buffer), how many steps each
# has made, this one included, and the learning rate.
Rule: TypeAlias = Callable[[list[Tensor], list[Tensor], list[list[Tensor]], list[Tensor], float], None]


def adam(weight_decay: float = 0.0) -> Rule:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980); with `weight_decay`, AdamW (Loshchilov & Hutter, arXiv 1711.05101)."""

    def step(
        weights: list[Tensor], gradients: list[Tensor], buffers: list[list[Tensor]], done: list[Tensor], lr: float
    ) -> None:
        mean, square = buffers
        torch._fused_adamw_(
            weights,
            gradients,
            mean,
            square,
            [],
            done,
            lr=lr,
            beta1=0.9,
            beta2=0.999,
            weight_decay=weight_decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    return step


def sgd(momentum: float) -> Rule:
    """Stochastic gradient descent, with momentum where it is above 0."""

    def step(
        weights: list[Tensor], gradients: list[Tensor], buffers: list[list[Tensor]], _done: list[Tensor], lr: float
    ) -> None:
        torch._fused_sgd_(
            weights,
            gradients,
            buffers[0] if momentum else [],
            weight_decay=0.0,
            momentum=momentum,
            lr=lr,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )

    return step


class Optimizer:
    """A rule with its buffers.

    Args:
        rule: what a step does.
        n_buffers: tensors of its shape that the rule keeps for each parameter.
        groups: parameters, and the factor of their rate to the schedule's.
        rate: the schedule's at first.
    """

    def __init__(
        self, rule: Rule, n_buffers: int, groups: Sequence[tuple[Iterable[nn.Parameter], float]], rate: float
    ) -> None:
        self._rule, self.rate = rule, rate
        self._groups = [(list(parameters), factor) for parameters, factor in groups]
        self._parameters = [parameter for parameters, _ in self._groups for parameter in parameters]
        self._buffers = {p: [torch.zeros_like(p) for _ in range(n_buffers)] for p in self._parameters}
        self._done = {p: torch.zeros((), device=p.device) for p in self._parameters}

    @property
    def rates(self) -> list[float]:
        """Each group's rate."""
        return [self.rate * factor for _, factor in self._groups]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for parameters, factor in self._groups:
            moved = [parameter for parameter in parameters if parameter.grad is not None]
            if not moved:
                continue
            gradients = [parameter.grad for parameter in moved if parameter.grad is not None]
            buffers = [list(kind) for kind in zip(*(self._buffers[p] for p in moved), strict=True)]
            done = [self._done[parameter].add_(1) for parameter in moved]
            self._rule(list(moved), gradients, buffers, done, self.rate * factor)

    def state_dict(self) -> dict[str, Any]:
        """The buffers of all parameters, in their order, and how many steps each has made; not copied."""
        return {
            "buffers": [self._buffers[parameter] for parameter in self._parameters],
            "done": [self._done[parameter] for parameter in self._parameters],
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        for parameter, buffers, done in zip(self._parameters, state["buffers"], state["done"], strict=True):
            self._done[parameter].copy_(done)
            for mine, saved in zip(self._buffers[parameter], buffers, strict=True):
                mine.copy_(saved)


def base_rate(config: PretextConfig | EmotionConfig) -> float:
    """The learning rate of the optimiser that is chosen, before the schedule."""
    rates = {"adam": config.adam.lr, "adamw": config.adamw.lr, "sgd": config.sgd.lr}
    return rates[config.optimizer]


def build_optimizer(config: PretextConfig | EmotionConfig, *groups: tuple[Iterable[nn.Parameter], float]) -> Optimizer:
    """The optimiser for some groups of parameters.

    Args:
        config: names the optimiser and its settings.
        groups: parameters, and the factor of their rate to the schedule's.
    """
    momentum = config.sgd.momentum
    rules = {
        "adam": (adam(), 2),
        "adamw": (adam(config.adamw.weight_decay), 2),
        "sgd": (sgd(momentum), 1 if momentum else 0),
    }
    return Optimizer(*rules[config.optimizer], groups, base_rate(config))


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group the rate times its own factor."""
    optimizer.rate = rate
