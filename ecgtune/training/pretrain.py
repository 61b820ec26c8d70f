"""Stage 1: the encoder learns a pretext task. A generator of epochs that knows nothing of sweeps."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgtune.config import PretextConfig
from ecgtune.convolution_path import ConvolutionPath
from ecgtune.data.pool import WindowPool
from ecgtune.data.splits import Split, require_disjoint
from ecgtune.errors import DataError
from ecgtune.models import build_encoder
from ecgtune.models.fused import FUSED, forget
from ecgtune.models.kept import unchanging_weights
from ecgtune.pretext import PRETEXT_TASKS
from ecgtune.training.loop import (
    Progress,
    Stopwatch,
    common,
    copied,
    micro_batch,
    require_identity,
    run_identity,
    slices,
)
from ecgtune.training.optimiser import base_rate, build_optimizer, set_rate
from ecgtune.training.pretext_scores import PretextScores
from ecgtune.training.result import EpochResult, Snapshot
from ecgtune.training.schedule import learning_rate, require_room
from ecgtune.training.seed import global_stream, numpy_generator, torch_generator
from ecgtune.training.windows import Windows

# See `micro_batch`. What is quickest on a CPU depends on how the convolutions are computed: the Fourier path needs many
# windows to repay the transforms of its kernels, the direct ones want what fits into the cache.
MICRO_BATCH: dict[ConvolutionPath, dict[str, int]] = {
    "direct": {"cpu": 4, "cuda": 64, "norm": 4},
    "bf16": {"cpu": 4, "cuda": 64, "norm": 4},
    "fourier": {"cpu": 8, "cuda": 64, "norm": 4},
    "tiled": {"cpu": 16, "cuda": 64, "norm": 4},
    "tiled32": {"cpu": 16, "cuda": 64, "norm": 4},
    "inductor": {"cpu": 4, "cuda": 64, "norm": 4},
    "cudagraphs": {"cpu": 4, "cuda": 64, "norm": 4},
}
# Views are drawn for so many windows at a time, so that they do not depend on the size of a micro-batch.
DRAWN_TOGETHER = 64
# Validation views are drawn with this seed whatever the run's, so that val_loss compares runs.
VALIDATION_SEED = 0


def pretrain(
    config: PretextConfig,
    pool: WindowPool,
    split: Split,
    *,
    epochs: int,
    seed: int,
    device: str = "cpu",
    path: ConvolutionPath = "direct",
    halved: bool = False,
    resume: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Iterator[EpochResult]:
    """Train encoder and pretext heads, one result per epoch.

    Everything random in an epoch follows from the seed and the number of the epoch, so on a CPU a resumed run goes on
    bit for bit as if it had not been interrupted. Another path sees the same views and the same order; only dropout,
    where there is any, is drawn micro-batch by micro-batch, whose size the path decides. A loss that is not finite ends
    the epoch's training early and is reported as NaN.

    Args:
        config: the parameters.
        pool: the windows.
        split: indices into `pool`, no person on both sides.
        epochs: of the whole run, those before `resume` included.
        seed: of weights, order, views and dropout.
        device: `cpu` or `cuda`.
        path: how convolutions are computed; see `ecgtune.training.path.choose_path`.
        halved: whether to make do with half the micro-batch, since there was not memory enough.
        resume: `Snapshot.resume` of an earlier epoch.
        progress: called within an epoch.

    Raises:
        LeakError: a person is on both sides of the split, or is held out and on one.
        DataError: a side of the split is empty.
        ConfigError: the schedule does not fit into so few epochs.
        InputError: `resume` belongs to another run.
        MemoryError: the micro-batch cannot be halved.
    """
    require_room(config.scheduler, epochs, stage="pretext")
    persons = pool.persons
    require_disjoint(persons[split.train], persons[split.val])
    require_disjoint(persons[np.concatenate([split.train, split.val])], split.held_out)
    for side, index in (("training", split.train), ("validation", split.val)):
        if not len(index):
            raise DataError(f"the {side} side of the pretext split has no window.")
    run = _Run(config, pool, split, seed, device, path, progress, halved=halved)
    if resume is not None:
        run.restore(resume)
    return run.epochs(epochs)


class _Run:
    def __init__(
        self,
        config: PretextConfig,
        pool: WindowPool,
        split: Split,
        seed: int,
        device: str,
        path: ConvolutionPath,
        progress: Progress | None,
        *,
        halved: bool,
    ) -> None:
        self.config, self.split, self.seed, self.device = config, split, seed, device
        self.windows = Windows(pool, np.concatenate([split.train, split.val]), device)
        self.progress = progress
        self.task = PRETEXT_TASKS[config.task](config)
        weights = torch_generator(seed, "weights")
        self.encoder = build_encoder(config.encoder, weights, path)
        self.heads = self.task.build_heads(self.encoder, weights).to(device)
        self.encoder.to(device)
        self.optimizer = build_optimizer(config, ([*self.encoder.parameters(), *self.heads.parameters()], 1.0))
        norm = config.encoder.batch_norm
        self.micro_batch = micro_batch(MICRO_BATCH[path], device, batch_norm=norm, halved=halved)
        self.done = 0
        self.fused_sizes = common(self.sizes()) if path in FUSED else frozenset[int]()
        self.identity = run_identity(config, seed, f"{pool.fingerprint} {path}")

    def restore(self, resume: Mapping[str, Any]) -> None:
        require_identity(resume, self.identity)
        self.encoder.load_state_dict(resume["encoder"])
        self.heads.load_state_dict(resume["heads"])
        self.optimizer.load_state_dict(resume["optimizer"])
        self.done = resume["epoch"]

    def epochs(self, epochs: int) -> Iterator[EpochResult]:
        try:
            yield from self.trained(epochs)
        finally:
            forget(self.encoder.path, self.device)

    def trained(self, epochs: int) -> Iterator[EpochResult]:
        while self.done < epochs:
            watch = Stopwatch()
            rate = learning_rate(self.config.scheduler, base_rate(self.config), self.done, epochs)
            set_rate(self.optimizer, rate)
            # The result is yielded outside of the block: whoever asks for epochs keeps their own random state.
            with global_stream(self.seed, "dropout", self.done, device=self.device):
                train = self.train()
                seconds = watch.seconds
                val = self.validate()
            self.done += 1
            yield EpochResult(
                epoch=self.done,
                lr=rate,
                metrics=train.summary("train") | val.summary("val") | val.details("val", self.task.classes),
                seconds=watch.seconds,
                throughput=train.n_views / seconds,
                confusion=val.confusion,
                snapshot=self.snapshot,
                micro_batch=self.micro_batch,
            )

    def train(self) -> PretextScores:
        self.encoder.train()
        self.heads.train()
        generator = torch_generator(self.seed, "views", self.done, device=self.device)
        order = self.order()
        scores = PretextScores(len(self.task.classes), self.config.loss, self.device)
        done = 0
        for batch in slices(order, self.config.batch_size):
            self.optimizer.zero_grad()
            with unchanging_weights():
                for part in self.parts(batch, generator):
                    self.encoder.fuses = part.shape[1] in self.fused_sizes
                    out = self.task.step(self.encoder, self.heads, part)
                    torch.autograd.backward((out.loss + out.penalty) * (part.shape[1] / len(batch)))
                    scores.add(out, part.shape[1])
            self.optimizer.step()
            done += len(batch)
            if self.progress:
                self.progress(done, len(order))
            if not scores.is_finite:
                break
        return scores

    @torch.no_grad()
    @unchanging_weights()
    def validate(self) -> PretextScores:
        self.encoder.eval()
        self.heads.eval()
        generator = torch_generator(VALIDATION_SEED, "validation views", device=self.device)
        scores = PretextScores(len(self.task.classes), self.config.loss, self.device, rank=True)
        for part in self.parts(self.split.val, generator):
            scores.add(self.task.step(self.encoder, self.heads, part), part.shape[1])
        return scores

    def parts(self, index: NDArray[np.integer], generator: torch.Generator) -> Iterator[Tensor]:
        """The views of some windows, one micro-batch [n_views, micro_batch, n_times] after the other."""
        for drawn in slices(index, DRAWN_TOGETHER):
            yield from torch.split(self.task.views(self.windows.take(drawn), generator), self.micro_batch, dim=1)

    def sizes(self) -> Iterator[int]:
        """How many windows each pass of an epoch has."""
        for batch in slices(self.order(), self.config.batch_size):
            for drawn in slices(batch, DRAWN_TOGETHER):
                yield from map(len, slices(drawn, self.micro_batch))

    def order(self) -> NDArray[np.intp]:
        order = numpy_generator(self.seed, "order", self.done).permutation(self.split.train)
        return order[: self.config.windows_per_epoch or None]

    def snapshot(self) -> Snapshot:
        encoder, heads = copied(self.encoder), copied(self.heads)
        resume = {
            "identity": self.identity,
            "epoch": self.done,
            "encoder": encoder,
            "heads": heads,
            "optimizer": copy.deepcopy(self.optimizer.state_dict()),
        }
        return Snapshot(encoder, heads, resume)
