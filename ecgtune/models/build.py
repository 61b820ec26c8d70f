"""Configuration -> models, with weights drawn from a generator that is passed in."""

from contextlib import AbstractContextManager

import torch
from torch import nn

from ecgtune.config import EmotionHeadConfig, EncoderConfig, PretextHeadConfig
from ecgtune.convolution_path import ConvolutionPath
from ecgtune.models.encoder import Encoder
from ecgtune.models.heads import EmotionHead, PretextHeads


def build_encoder(config: EncoderConfig, generator: torch.Generator, path: ConvolutionPath = "direct") -> Encoder:
    """An encoder on the CPU; `generator`, on the CPU too, draws its weights, which do not depend on the path."""
    with _global_generator_kept():
        encoder = Encoder(
            pool_stride=config.pool_stride,
            activation=config.activation,
            batch_norm=config.batch_norm,
            pooling=config.pooling,
            path=path,
        )
    initialise(encoder, generator)
    return encoder


def build_pretext_heads(
    config: PretextHeadConfig, generator: torch.Generator, *, n_features: int, n_classes: int
) -> PretextHeads:
    """Pretext heads on the CPU; `generator`, on the CPU too, draws their weights."""
    with _global_generator_kept():
        heads = PretextHeads(n_features, n_classes, config.hidden, config.dropout)
    initialise(heads, generator)
    return heads


def build_emotion_head(
    config: EmotionHeadConfig, generator: torch.Generator, *, n_features: int, n_outputs: int
) -> EmotionHead:
    """An emotion head on the CPU; `generator`, on the CPU too, draws its weights."""
    with _global_generator_kept():
        head = EmotionHead(n_features, config.layers, config.hidden, config.dropout, n_outputs)
    initialise(head, generator)
    return head


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights as TensorFlow does: Glorot-uniform weights (Glorot & Bengio 2010), zero biases.

    Batch norm starts as the identity.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(part.weight, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_parameters()


def _global_generator_kept() -> AbstractContextManager[None]:
    # PyTorch's layers draw weights from the global generator when they are made; ours replace them at once.
    return torch.random.fork_rng(devices=[])
