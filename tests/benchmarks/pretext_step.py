"""How fast is a pretext training step, and what do its views cost?

    python tests/benchmarks/pretext_step.py [--threads 1 2] [--seconds 2]

Prints, per thread count, pool stride and micro-batch: views per second of forward, loss, backward; and the share of
that time which making the views took. The fastest of the repeats counts, since the machine may be busy.
"""

import argparse

import torch
from common import fastest

from ecgtune.config import EncoderConfig, PretextConfig
from ecgtune.models import build_encoder
from ecgtune.pretext import PRETEXT_TASKS
from ecgtune.pretext.transformation_recognition import make_views


def measure(n_windows, pool_stride, seconds):
    config = PretextConfig(encoder=EncoderConfig(pool_stride=pool_stride))
    task = PRETEXT_TASKS[config.task](config)
    generator = torch.Generator().manual_seed(0)
    encoder = build_encoder(config.encoder, generator)
    heads = task.build_heads(encoder, generator)
    windows = torch.randn(n_windows, 2560, generator=generator)

    def step():
        out = task.step(encoder, heads, windows, generator)
        (out.loss + out.penalty).backward()

    return fastest(step, seconds), fastest(lambda: make_views(windows, generator, config.transforms), seconds / 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    print("threads  stride  windows  views  views/s  views' share")
    for threads in options.threads:
        torch.set_num_threads(threads)
        for pool_stride in (2, 8):
            for n_windows in options.windows:
                step, views = measure(n_windows, pool_stride, options.seconds)
                print(
                    f"{threads:7d} {pool_stride:7d} {n_windows:8d} {7 * n_windows:6d}"
                    f" {7 * n_windows / step:8.0f} {views / step:13.1%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
