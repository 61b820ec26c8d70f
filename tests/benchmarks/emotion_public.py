"""How much faster is an epoch of the emotion stage than in the scheme that public re-implementations have?

    python tests/benchmarks/emotion_public.py [--data PREPARED] [--epochs 60] [--rounds 2]

PREPARED is a folder made by `ecgtune data prepare`, for the committed figures that of eegmat; without it windows are
generated. Ours is `ecgtune.training.finetune`: embeddings computed once, then all five folds trained as one batched
model. The public scheme trains the folds one after another, and in every batch of 32 windows the frozen encoder
(`Conv1d`, float32) embeds those windows again, in training and in validation. Embedding a whole batch is what is
timed; one window at a time, as some do it, is timed on a few batches and reported beside it.

Before anything is timed, both encoders' features are checked to agree; afterwards, the predictions after one epoch
from the same initial heads, in the same order of windows. That each of the stacked folds gets the numbers that it
would get alone is held by `test_every_fold_gets_the_numbers_it_would_get_alone` in tests/training/test_stacked.py.
The medians of all epochs of both sides count. The embedding, once, is also added to an epoch as its share of `--epochs`
epochs.
"""

import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from common import arguments, compared, fastest, provenance, save, show
from generated import generated_dataset
from public_form import BATCH, PublicEncoder

from ecgtune.config import EmotionConfig, EncoderConfig
from ecgtune.data.store import load_dataset
from ecgtune.models import build_emotion_head, build_encoder, select
from ecgtune.training.checkpoint import save_model
from ecgtune.training.emotion_data import emotion_data
from ecgtune.training.emotion_loss import class_weights
from ecgtune.training.finetune import finetune
from ecgtune.training.folds import epoch_batches
from ecgtune.training.seed import torch_generator

CONFIG = EmotionConfig(batch_size=BATCH)
FOLDS, SEED = 5, 0


def untrained_model(folder, sfreq):
    """A pretext model that has seen nobody: what an encoder has learnt does not change its speed."""
    config = EncoderConfig()
    save_model(
        folder,
        encoder=build_encoder(config, torch.Generator().manual_seed(SEED)).state_dict(),
        heads={},
        card={
            "stage": "pretext",
            "architecture": {"encoder": asdict(config), "heads": {}},
            "preprocessing": {"sfreq": sfreq},
            "subjects": {"train": [], "val": [], "held_out": []},
        },
    )
    return folder


class PublicScheme:
    """One head per fold on an encoder that embeds every batch anew."""

    def __init__(self, data):
        self.data = data
        self.windows = torch.from_numpy(data.dataset.windows[data.rows])
        self.classes = torch.from_numpy(data.classes).float()
        self.encoder = PublicEncoder(data.encoder.pool_stride).eval()
        with torch.no_grad():
            for mine, given in zip(self.encoder.parameters(), data.encoder.parameters(), strict=True):
                mine.copy_(given.reshape(mine.shape))

    @torch.no_grad()
    def embed(self, index):
        return self.encoder(self.windows[index])

    def epoch(self, seed):
        """Train every fold from new weights for an epoch, and validate it: [n] the out-of-fold probabilities."""
        order = epoch_batches(self.data.folds, BATCH, seed, 0)
        predictions = np.full(len(self.classes), np.nan, dtype=np.float32)
        for number, fold in enumerate(self.data.folds):
            generator = torch_generator(seed, "head", number)
            head = build_emotion_head(CONFIG.head, generator, n_features=128, n_outputs=1)
            optimizer = torch.optim.Adam(head.parameters(), lr=CONFIG.adam.lr)
            weights = torch.from_numpy(class_weights(CONFIG.class_weights, self.data.classes[fold.train]))
            for batch in order:
                index = torch.from_numpy(batch[number])
                truth = self.classes[index]
                logits = head(self.embed(index)).squeeze(1)
                optimizer.zero_grad()
                F.binary_cross_entropy_with_logits(logits, truth, weights[truth.long()]).backward()
                optimizer.step()
            with torch.no_grad():
                for index in torch.from_numpy(fold.val).split(BATCH):
                    predictions[index.numpy()] = head(self.embed(index)).squeeze(1).sigmoid().numpy()
        return predictions


def require_same_features(data, public):
    """Assert that both encoders give the same features; the largest difference in standard deviations."""
    index = torch.arange(min(64, len(data.rows)))
    ours, theirs = select(torch.from_numpy(data.summaries), "max")[index], public.embed(index)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3 * float(theirs.std()))
    return float((ours - theirs).abs().max() / theirs.std())


def benchmark(dataset, folder, *, epochs, rounds):
    """All figures; the model and the embeddings are written below `folder`."""
    model = untrained_model(folder / "model", dataset.sfreq)
    options = {"target": None, "threshold": None, "n_folds": FOLDS, "seed": SEED, "transductive": False}
    embedding = float("inf")
    for number in range(2):
        start = time.perf_counter()
        data = emotion_data(dataset, model, cache=folder / f"cache-{number}", **options)
        embedding = min(embedding, time.perf_counter() - start)
    public = PublicScheme(data)
    features_differ = require_same_features(data, public)

    ours, theirs, differ = [], [], 0.0
    for seed in range(rounds):
        start = time.perf_counter()
        predictions = public.epoch(seed)
        theirs.append(time.perf_counter() - start)
        results = finetune(CONFIG, data, epochs=epochs, seed=seed)
        first = next(results)
        differ = max(differ, float(np.abs(first.snapshot().predictions - predictions).max()))
        np.testing.assert_allclose(first.snapshot().predictions, predictions, rtol=0, atol=0.01)
        ours += [first.seconds, *(result.seconds for result in results)]
    batch = torch.arange(min(BATCH, len(data.rows)))
    together = fastest(lambda: public.embed(batch), 1.0)
    one_by_one = fastest(lambda: [public.embed(batch[place : place + 1]) for place in range(len(batch))], 1.0)

    ours, theirs, share = float(np.median(ours)), float(np.median(theirs)), embedding / epochs
    given = {"less_is_better": True}
    return {
        "comparisons": [
            compared("an epoch of all folds", ours, theirs, "s", target=300, **given),
            compared(f"with the embedding spread over {epochs} epochs", ours + share, theirs, "s", **given),
        ],
        "windows": len(data.rows),
        "folds": FOLDS,
        "embedding_once_seconds": embedding,
        "embedding_windows_per_second": len(dataset.windows) / embedding,
        "public_batch_of_32_embedded_together_seconds": together,
        "public_batch_of_32_embedded_one_by_one_seconds": one_by_one,
        "largest_difference_of_features_in_sd": features_differ,
        "largest_difference_of_predictions": differ,
    }


def main():
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, help="a data-set folder; default: generated windows")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        dataset = load_dataset(options.data) if options.data else generated_dataset(folder / "data", 300, 10)
        where = provenance(dataset.fingerprint)
        found = benchmark(dataset, folder, epochs=options.epochs, rounds=options.rounds)
    show(found["comparisons"])
    for name, value in found.items():
        if name != "comparisons":
            print(f"{name:48} {value:.4g}")
    save("emotion_public", found, where, options.out)


if __name__ == "__main__":
    main()
