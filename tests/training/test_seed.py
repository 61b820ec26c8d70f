"""Streams are repeatable, unrelated, and leave the global generator alone."""

import numpy as np
import torch

from ecgtune.training.seed import derive, global_stream, numpy_generator, torch_generator


def test_streams_differ_in_every_part_of_their_name():
    names = [(0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1), (0, "a", 0, 1), (0, "a", 1, 0), (0, "a", 11)]
    assert len({derive(*name) for name in names}) == len(names)


def test_a_stream_is_pinned():
    # A change here would change the numbers of every run made before.
    assert derive(0, "views", 3) == 2700670100285986941


def test_generators_repeat():
    assert torch.equal(
        torch.rand(3, generator=torch_generator(1, "x", 2)), torch.rand(3, generator=torch_generator(1, "x", 2))
    )
    assert np.array_equal(numpy_generator(1, "x").random(3), numpy_generator(1, "x").random(3))


def test_the_global_generator_is_put_back():
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    with global_stream(0, "dropout", 1):
        first = torch.rand(2)
    with global_stream(0, "dropout", 1):
        assert torch.equal(torch.rand(2), first)
    assert torch.equal(torch.rand(2), expected)
