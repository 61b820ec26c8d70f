"""Initial weights: Glorot's, from the generator that is passed in, and from no other."""

import pytest
import torch

from ecgtune.config import EmotionHeadConfig, EncoderConfig, PretextHeadConfig
from ecgtune.models import build_emotion_head, build_encoder, build_pretext_heads

BUILDERS = {
    "encoder": lambda g: build_encoder(EncoderConfig(), g),
    "batch norm": lambda g: build_encoder(EncoderConfig(batch_norm=True), g),
    "pretext heads": lambda g: build_pretext_heads(PretextHeadConfig(), g, n_features=128, n_classes=7),
    "emotion head": lambda g: build_emotion_head(EmotionHeadConfig(), g, n_features=128, n_outputs=1),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_the_seed_alone_decides_and_the_global_generator_is_left_alone(name):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = BUILDERS[name](torch.Generator().manual_seed(3)).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again = BUILDERS[name](torch.Generator().manual_seed(3)).state_dict()
    other = BUILDERS[name](torch.Generator().manual_seed(4)).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", BUILDERS)
def test_weights_fill_glorots_interval_and_biases_are_zero(name):
    module = BUILDERS[name](torch.Generator().manual_seed(0))
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d | torch.nn.Linear):
            n_out, n_in, *kernel = part.weight.shape
            field = kernel[-1] if kernel else 1
            limit = (6 / (n_in * field + n_out * field)) ** 0.5
            assert part.weight.abs().max() <= limit
            assert part.weight.abs().max() > 0.9 * limit
            assert abs(part.weight.std().item() - limit / 3**0.5) < 0.1 * limit
            assert part.bias is None or not part.bias.any()
        if isinstance(part, torch.nn.BatchNorm2d):
            assert (part.weight == 1).all()
            assert not part.bias.any()
