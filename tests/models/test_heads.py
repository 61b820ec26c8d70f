"""The heads: registered, trained, quiet in evaluation, and their L2."""

import pytest
import torch

from ecgtune.models import EmotionHead, PretextHeads, squared_weights


def test_every_head_is_registered_and_answers_for_itself():
    heads = PretextHeads(8, 3, 4, 0.0)
    assert len(heads.state_dict()) == 3 * 4
    features = torch.randn(5, 8)
    before = heads(features)
    with torch.no_grad():
        heads.heads[1][-1].bias.add_(1.0)
    change = heads(features) - before
    torch.testing.assert_close(change, torch.tensor([0.0, 1.0, 0.0]).expand(5, 3))


@pytest.mark.parametrize(
    ("layers", "shapes"),
    [(0, [(2, 6)]), (1, [(4, 6), (2, 4)]), (3, [(4, 6), (4, 4), (4, 4), (2, 4)])],
)
def test_the_emotion_head_has_the_layers_asked_for(layers, shapes):
    head = EmotionHead(6, layers, 4, 0.1, 2)
    assert [tuple(p.shape) for name, p in head.named_parameters() if name.endswith("weight")] == shapes
    assert head(torch.zeros(3, 6)).shape == (3, 2)


@pytest.mark.parametrize("build", [lambda: PretextHeads(8, 7, 32, 0.5), lambda: EmotionHead(8, 2, 32, 0.5, 1)])
def test_dropout_acts_in_training_only(build):
    head, features = build(), torch.randn(4, 8)
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))


def test_l2_is_the_sum_of_squares_of_the_weights_alone():
    head = EmotionHead(2, 1, 3, 0.0, 1)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.fill_(2.0)
    assert squared_weights(head).item() == 4.0 * (2 * 3 + 3 * 1)
    with pytest.raises(ValueError, match="no dense layer"):
        squared_weights(torch.nn.Dropout(0.1))
