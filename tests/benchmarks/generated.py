"""Data sets of any size for benchmarks, written block by block: a heart-like pulse at each person's rate, and noise."""

import numpy as np

from ecgtune.data.store import DatasetWriter, Target, load_dataset

N_TIMES = 2560
SFREQ = 256.0
_BLOCK = 500


def generated_dataset(folder, n_windows, people, *, seed=0):
    """Write `n_windows` windows of 10 s, spread evenly over people, half of them with score 1, and open the folder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    writer = DatasetWriter(folder, "generated", N_TIMES, [Target("arousal", 0.5, "0 or 1")])
    counts = np.full(people, n_windows // people) + (np.arange(people) < n_windows % people)
    for person, count in enumerate(counts):
        pulse = _pulse(rng.uniform(0.8, 1.6))
        for score, share in ((0.0, count // 2), (1.0, count - count // 2)):
            row = {"subject": f"p{person}", "stimulus": "s", "lead": "ecg", "start": 0.0, "kind": "stimulus"}
            for start in range(0, share, _BLOCK):
                n = min(_BLOCK, share - start)
                noise = rng.standard_normal((n, N_TIMES), dtype=np.float32)
                windows = (1.0 + 0.2 * score) * pulse + np.float32(0.1) * noise
                writer.add(windows.astype(np.float32), [row | {"quality": ""}] * n, {"arousal": score})
    writer.finish(sfreq=SFREQ, details={"preparation": {"generated": True, "seed": seed}})
    return load_dataset(folder)


def _pulse(rate):
    """[N_TIMES] a sharp peak and a slow wave, `rate` times a second."""
    phase = (rate * np.arange(N_TIMES) / SFREQ) % 1.0
    return 3.0 * np.exp(-(((phase - 0.3) / 0.02) ** 2)) + 0.6 * np.exp(-(((phase - 0.6) / 0.08) ** 2)) - 0.2
