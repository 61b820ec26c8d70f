"""What an epoch is said to cost, against what epochs took."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgtune.training.cost import cost

CURVES = Path(__file__).parents[2] / "results" / "curves"


def emotion(**given):
    return cost("emotion", {f"emotion/{name.replace('__', '/')}": value for name, value in given.items()})


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"head__hidden": 64}, {"head__hidden": 512}),
        ({"head__layers": 0}, {"head__layers": 1}),
        ({"head__layers": 1}, {"head__layers": 3}),
        ({"batch_size": 256}, {"batch_size": 32}),
        ({"pooling": "mean"}, {"pooling": "max+mean+std"}),
    ],
)
def test_what_costs_more(less, more):
    assert 1.01 * emotion(**less) < emotion(**more) < 60 * emotion(**less)


def test_small_batches_cost_a_large_head_more():
    """Each step reads and writes all weights."""

    def more(hidden):
        return emotion(head__hidden=hidden, batch_size=32) - emotion(head__hidden=hidden, batch_size=256)

    assert more(512) > 3 * more(32)


def test_a_network_that_is_trained_whole_costs_a_thousand_times_more():
    assert emotion(unfreeze=True) > 1000 * emotion()


def test_a_larger_pool_stride_makes_an_encoder_cheap():
    two, eight = (cost("pretext", {"pretext/encoder/pool_stride": stride}) for stride in (2, 8))
    assert cost("pretext", {}) == two
    assert 2 < two / eight < 4
    assert cost("pretext", {"pretext/adam/lr": 1.0}) == two


def test_it_follows_the_epochs_that_were_recorded():
    frame = pd.read_parquet(CURVES / "emotion.parquet")
    names = [name for name in frame.columns if name.startswith("emotion/")]
    configurations = frame.drop_duplicates("configuration").set_index("configuration")[names]
    seconds = frame.groupby("configuration")["seconds"].median()
    given = [{n: v for n, v in row.items() if not pd.isna(v)} for _, row in configurations.iterrows()]
    said = np.log([cost("emotion", each) for each in given])
    took = np.log(seconds.loc[configurations.index].to_numpy())
    assert np.corrcoef(said, took)[0, 1] > 0.95
    wrong = np.abs(np.expm1(said - took - np.median(said - took)))
    assert np.median(wrong) < 0.15
    assert np.quantile(wrong, 0.9) < 0.4
