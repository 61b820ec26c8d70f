"""What a training run is made of: frozen dataclasses whose nesting gives the parameters' slash names.

`PretextConfig().adam.lr` is the parameter `pretext/adam/lr`. A search space, a configuration file and a table
of trials all speak in slash names; `configure` turns them into a configuration and `parameters` turns it back.

The defaults are the published method (Sarkar & Etemad, IEEE TAC 2020, arXiv 2002.03898).
"""

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias, TypeVar, cast, get_args

from ecgtune.errors import ConfigError

Scalar: TypeAlias = bool | int | float | str
Stage: TypeAlias = Literal["pretext", "emotion"]
STAGES: tuple[Stage, ...] = get_args(Stage)

POOLINGS = ("max", "mean", "max+mean+std")
TRANSFORMS = ("original", "noise", "scaling", "negation", "temporal_inversion", "permutation", "time_warping")


def number(default: float, low: float, high: float, *, above: bool = False) -> Any:
    """A field that holds a number in [low, high], or in (low, high] where `above` is true."""
    kind = "int" if isinstance(default, int) else "float"
    return field(default=default, metadata={"type": kind, "low": low, "high": high, "above": above})


def choice(default: Scalar, *choices: Scalar) -> Any:
    """A field that holds one of `choices`."""
    return field(default=default, metadata={"choices": choices})


@dataclass(frozen=True)
class AdamConfig:
    """Adam (Kingma & Ba 2015). `lr` per optimiser step."""

    lr: float = number(1e-3, 0.0, 10.0, above=True)


@dataclass(frozen=True)
class AdamWConfig:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    lr: float = number(1e-3, 0.0, 10.0, above=True)
    weight_decay: float = number(1e-2, 0.0, 10.0)


@dataclass(frozen=True)
class SGDConfig:
    """Stochastic gradient descent with momentum."""

    lr: float = number(1e-2, 0.0, 10.0, above=True)
    momentum: float = number(0.9, 0.0, 0.9999)


@dataclass(frozen=True)
class SchedulerConfig:
    """The learning rate over the epochs; `warmup` in epochs, `decay` per epoch.

    `span` tells where the last cosine ends: `full` at the last epoch, `reported` at `epochs - warmup`, as in
    the reported trials; that needs more than `2 * warmup` epochs, else the rate is 0 after the warm-up.
    """

    type: str = choice("none", "none", "decay", "cosine_w_restarts")
    warmup: int = number(0, 0, 10_000)
    cycles: int = number(1, 1, 1_000)
    decay: float = number(0.95, 0.0, 1.0, above=True)
    span: str = choice("full", "full", "reported")


@dataclass(frozen=True)
class EncoderConfig:
    """The convolutional encoder. `pool_stride` is in samples of the layer that is pooled."""

    pool_stride: int = choice(2, 1, 2, 3, 4, 5, 6, 7, 8)
    activation: str = choice("leaky_relu", "leaky_relu", "relu")
    batch_norm: bool = choice(False, False, True)
    pooling: str = choice("max", *POOLINGS)


@dataclass(frozen=True)
class PretextHeadConfig:
    """One head per transformation: dense `hidden`, ReLU, dropout, dense 1. `l2` on the heads' weights."""

    hidden: int = number(128, 1, 65_536)
    dropout: float = number(0.6, 0.0, 0.99)
    l2: float = number(1e-4, 0.0, 10.0)


@dataclass(frozen=True)
class NoiseConfig:
    """Gaussian noise; `snr_db` is the ratio of the window's power to the noise's, in dB."""

    snr_db: float = number(15.0, -60.0, 120.0)


@dataclass(frozen=True)
class ScalingConfig:
    """Multiplication of the amplitude."""

    factor: float = number(1.1, 0.0, 1_000.0, above=True)


@dataclass(frozen=True)
class PermutationConfig:
    """The window cut into `pieces`, put together in another order."""

    pieces: int = number(20, 2, 1_000)


@dataclass(frozen=True)
class TimeWarpingConfig:
    """The window cut into `pieces`, some stretched in time by `stretch`, the others squeezed by 1/`stretch`."""

    pieces: int = number(9, 2, 1_000)
    stretch: float = number(1.05, 1.0, 4.0, above=True)


@dataclass(frozen=True)
class TransformsConfig:
    """The parameters of the transformations that have any."""

    noise: NoiseConfig = field(default_factory=NoiseConfig)
    scaling: ScalingConfig = field(default_factory=ScalingConfig)
    permutation: PermutationConfig = field(default_factory=PermutationConfig)
    time_warping: TimeWarpingConfig = field(default_factory=TimeWarpingConfig)


@dataclass(frozen=True)
class PretextConfig:
    """Stage 1. `batch_size` counts windows: a step sees seven views of each.

    `windows_per_epoch` draws that many training windows for an epoch, newly each time; 0 takes all.
    """

    task: str = choice("transformation_recognition", "transformation_recognition")
    batch_size: int = number(128, 1, 65_536)
    windows_per_epoch: int = number(0, 0, 1_000_000_000)
    optimizer: str = choice("adam", "adam", "adamw", "sgd")
    adam: AdamConfig = field(default_factory=AdamConfig)
    adamw: AdamWConfig = field(default_factory=AdamWConfig)
    sgd: SGDConfig = field(default_factory=SGDConfig)
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    loss: str = choice("one_vs_rest", "one_vs_rest", "softmax")
    loss_weights: str = choice("published", "published", "uniform")
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    head: PretextHeadConfig = field(default_factory=PretextHeadConfig)
    transforms: TransformsConfig = field(default_factory=TransformsConfig)


@dataclass(frozen=True)
class EmotionHeadConfig:
    """`layers` dense layers of `hidden`, each with ReLU and dropout, then the output."""

    layers: int = number(2, 0, 16)
    hidden: int = number(64, 1, 65_536)
    dropout: float = number(0.0, 0.0, 0.99)
    l2: float = number(0.0, 0.0, 10.0)


@dataclass(frozen=True)
class EmotionConfig:
    """Stage 2, on a frozen encoder unless `unfreeze`.

    `pooling` summarises the encoder's feature maps over time; `encoder` means as in the pretext stage.
    `features` says how they are scaled: `raw`; `standardised` by the training people's mean and standard
    deviation; or `person`, by each person's own over all of that person's windows (transductive).
    """

    batch_size: int = number(128, 1, 65_536)
    optimizer: str = choice("adam", "adam", "adamw", "sgd")
    adam: AdamConfig = field(default_factory=AdamConfig)
    adamw: AdamWConfig = field(default_factory=AdamWConfig)
    sgd: SGDConfig = field(default_factory=SGDConfig)
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    loss: str = choice("sigmoid", "sigmoid", "softmax")
    class_weights: str = choice("balanced", "balanced", "none")
    pooling: str = choice("encoder", "encoder", *POOLINGS)
    features: str = choice("raw", "raw", "standardised", "person")
    head: EmotionHeadConfig = field(default_factory=EmotionHeadConfig)
    unfreeze: bool = choice(False, False, True)
    encoder_lr_factor: float = number(0.1, 0.0, 1.0)


Config = TypeVar("Config", PretextConfig, EmotionConfig)
STAGE_CONFIGS: dict[Stage, type[PretextConfig] | type[EmotionConfig]] = {
    "pretext": PretextConfig,
    "emotion": EmotionConfig,
}


def parameters(config: PretextConfig | EmotionConfig) -> dict[str, Scalar]:
    """All parameters of a configuration under their slash names, in the order of the dataclasses."""
    stage: Stage = "pretext" if isinstance(config, PretextConfig) else "emotion"
    return {name: value for name, (_, value) in _leaves(config, stage).items()}


def configure(config: type[Config], given: Mapping[str, Scalar], *, where: str) -> Config:
    """Build a configuration from the parameters given; the others keep their defaults.

    Args:
        config: `PretextConfig` or `EmotionConfig`.
        given: slash names and values.
        where: the file or trial they come from, for the message.

    Raises:
        ConfigError: every unknown name and every value out of range, at once.
    """
    stage: Stage = "pretext" if config is PretextConfig else "emotion"
    mistakes = [mistake for name, value in given.items() for mistake in check(stage, name, value)]
    if mistakes:
        raise ConfigError(where, mistakes)
    built = config()
    for name, value in given.items():
        built = _with(built, name.split("/")[1:], value)
    return built


def check(stage: Stage, name: str, value: object) -> list[str]:
    """The mistakes in one parameter: an empty list, or one message with what is allowed."""
    leaves = _leaves(STAGE_CONFIGS[stage](), stage)
    if name not in leaves:
        close = get_close_matches(name, leaves, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]!r}?" if close else f"the {stage} parameters are: {', '.join(leaves)}"
        return [f"unknown parameter {name!r}; {hint}"]
    rule, default = leaves[name]
    problem = problem_with(rule, default, value)
    return [f"{name} = {value!r}: {problem}"] if problem else []


def allowed(stage: Stage, name: str) -> Mapping[str, Any]:
    """What a parameter may be: `type` (`int` or `float`), `low`, `high`, `above` for a number, or `choices`.

    Raises:
        KeyError: no such parameter.
    """
    return _leaves(STAGE_CONFIGS[stage](), stage)[name][0].metadata


def problem_with(rule: Field[Any], default: Scalar, value: object) -> str | None:
    """What is wrong with a value for a field made by `number` or `choice`, told as what is allowed; None if nothing."""
    choices = rule.metadata.get("choices")
    if choices is not None:
        # 1 == True in Python, but a configuration that says 1 for a switch is a mistake.
        if any(value == option and isinstance(value, bool) == isinstance(option, bool) for option in choices):
            return None
        return f"must be one of {', '.join(map(_show, choices))}"
    low, high, above = rule.metadata["low"], rule.metadata["high"], rule.metadata["above"]
    kind = "a whole number" if isinstance(default, int) else "a number"
    rule_text = f"must be {kind} {'above' if above else 'from'} {low:g} {'and at most' if above else 'to'} {high:g}"
    wanted = int if isinstance(default, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted):
        return rule_text
    inside = low < value <= high if above else low <= value <= high
    return None if inside else rule_text


def _show(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _leaves(config: object, prefix: str) -> dict[str, tuple[Field[Any], Scalar]]:
    return dict(_walk(config, prefix))


def _walk(config: object, prefix: str) -> Iterator[tuple[str, tuple[Field[Any], Scalar]]]:
    for entry in fields(cast(Any, config)):
        value = getattr(config, entry.name)
        name = f"{prefix}/{entry.name}"
        if is_dataclass(value):
            yield from _walk(value, name)
        else:
            yield name, (entry, value)


def _with(config: Any, path: list[str], value: Scalar) -> Any:
    head, *rest = path
    current = getattr(config, head)
    if rest:
        return replace(config, **{head: _with(current, rest, value)})
    return replace(config, **{head: float(value) if isinstance(current, float) else value})
