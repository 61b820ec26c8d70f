"""Stage 2: emotion heads on a pretext encoder, all folds side by side. A generator of epochs."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgtune.config import EmotionConfig
from ecgtune.convolution_path import ConvolutionPath
from ecgtune.models.fused import forget
from ecgtune.training.emotion_data import EmotionData
from ecgtune.training.folds import FoldModels, FoldOutput
from ecgtune.training.loop import Progress, Stopwatch, require_identity, run_identity
from ecgtune.training.metrics import accuracy, balanced_accuracy, confusion_matrix, finite, macro_f1, roc_auc
from ecgtune.training.optimiser import base_rate
from ecgtune.training.result import EpochResult, Snapshot
from ecgtune.training.schedule import learning_rate, require_room
from ecgtune.training.seed import global_stream
from ecgtune.training.stacked import FrozenFolds
from ecgtune.training.unfrozen import UnfrozenFolds

TRAIN_SCORES = ("loss", "accuracy", "balanced_accuracy")
VAL_SCORES = ("loss", "accuracy", "balanced_accuracy", "macro_f1", "auc")


def finetune(
    config: EmotionConfig,
    data: EmotionData,
    *,
    epochs: int,
    seed: int,
    device: str = "cpu",
    halved: bool = False,
    resume: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Iterator[EpochResult]:
    """Train one head per fold, one result per epoch; its metrics are means over the folds.

    Everything random in an epoch follows from the seed and the number of the epoch, so a resumed run goes on
    bit for bit as if it had not been interrupted.

    Args:
        config: the parameters.
        data: features, classes and folds.
        epochs: of the whole run, those before `resume` included.
        seed: of weights, order and dropout.
        device: `cpu` or `cuda`.
        halved: whether to make do with half the micro-batch, since there was not memory enough.
        resume: `Snapshot.resume` of an earlier epoch.
        progress: called within an epoch, with steps instead of windows.

    Raises:
        LeakError: a person is on both sides of a fold, or is validated on though the encoder has seen them.
        ConfigError: the schedule does not fit into so few epochs.
        InputError: `resume` belongs to another run.
        MemoryError: the micro-batch cannot be halved; a frozen encoder has none.
    """
    require_room(config.scheduler, epochs, stage="emotion")
    data.require_no_leak()
    if halved and not config.unfreeze:
        raise MemoryError("a frozen encoder's heads have no micro-batch to be halved")
    models: FoldModels = (
        UnfrozenFolds(config, data, seed, device, progress, halved=halved)
        if config.unfreeze
        else FrozenFolds(config, data, seed, device, progress)
    )
    # A frozen encoder's embeddings are the same whatever the way.
    way = f" {data.encoder.path}" if config.unfreeze else ""
    identity = run_identity(config, seed, f"{data.fingerprint}{way}")
    done = 0
    if resume is not None:
        require_identity(resume, identity)
        models.restore(resume["models"])
        done = resume["epoch"]
    results = _epochs(config, data, models, identity, done, epochs, seed, device)
    return _freed(results, data.encoder.path, device) if config.unfreeze else results


def _freed(results: Iterator[EpochResult], path: ConvolutionPath, device: str) -> Iterator[EpochResult]:
    try:
        yield from results
    finally:
        forget(path, device)


def _epochs(
    config: EmotionConfig,
    data: EmotionData,
    models: FoldModels,
    identity: str,
    done: int,
    epochs: int,
    seed: int,
    device: str,
) -> Iterator[EpochResult]:
    n_windows = sum(len(fold.train) for fold in data.folds)
    for epoch in range(done, epochs):
        watch = Stopwatch()
        rate = learning_rate(config.scheduler, base_rate(config), epoch, epochs)
        # The result is yielded outside of the block: whoever asks for epochs keeps their own random state.
        with global_stream(seed, "dropout", epoch, device=device):
            train = models.train(epoch, rate)
            seconds = watch.seconds
            val = models.validate()
        predictions = out_of_fold(val, data)

        def snapshot(epoch: int = epoch, predictions: NDArray[np.float32] = predictions) -> Snapshot:
            resume = {"identity": identity, "epoch": epoch + 1, "models": models.state()}
            return Snapshot(models.encoder_weights(), models.head_weights(), resume, predictions)

        metrics = _metrics(fold_scores(train, data.classes), fold_scores(val, data.classes))
        validated = ~np.isnan(predictions)
        guess = (predictions[validated] > 0.5).astype(np.int64)
        yield EpochResult(
            epoch=epoch + 1,
            lr=rate,
            metrics=metrics,
            seconds=watch.seconds,
            throughput=n_windows / seconds,
            confusion=confusion_matrix(data.classes[validated], guess, 2),
            snapshot=snapshot,
            micro_batch=models.micro_batch,
        )


def fold_scores(output: FoldOutput, classes: NDArray[np.int64]) -> dict[str, list[float]]:
    """Each fold's loss, accuracy, balanced accuracy, macro F1 and AUC; a fold whose loss is no number has none.

    Args:
        output: of one side of every fold.
        classes: [n].
    """
    scores: dict[str, list[float]] = {name: [] for name in VAL_SCORES}
    for loss, probability in zip(output.loss, output.probability, strict=True):
        looked_at = ~np.isnan(probability)
        truth, said = classes[looked_at], probability[looked_at]
        counts = confusion_matrix(truth, (said > 0.5).astype(np.int64), 2)
        values = (loss, accuracy(counts), balanced_accuracy(counts), macro_f1(counts), roc_auc(truth, said))
        for name, value in zip(VAL_SCORES, values, strict=True):
            scores[name].append(float(value) if math.isfinite(loss) else math.nan)
    return scores


def _metrics(train: Mapping[str, list[float]], val: Mapping[str, list[float]]) -> dict[str, float]:
    """Means over the folds, and the standard deviation of the balanced accuracy between them."""
    means = {f"train_{name}": float(np.mean(train[name])) for name in TRAIN_SCORES}
    means |= {f"val_{name}": float(np.mean(val[name])) for name in VAL_SCORES}
    folds = val["balanced_accuracy"]
    spread = float(np.std(folds, ddof=1)) if len(folds) > 1 else math.nan
    return finite(means | {"val_balanced_accuracy_sd": spread})


def out_of_fold(val: FoldOutput, data: EmotionData) -> NDArray[np.float32]:
    """[n] the probability from the fold that validates on each window, NaN where none does."""
    predictions = np.full(len(data.classes), np.nan, dtype=np.float32)
    for fold, probability in zip(data.folds, val.probability, strict=True):
        predictions[fold.val] = probability[fold.val]
    return predictions
