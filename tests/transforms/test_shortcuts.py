"""No class may be told by the ends of its views alone.

Original, permutation and time warping leave the ends of a view as ECG as they were: a classifier that sees the first
and last 64 samples only has to stay at chance among these three. (Noise, scaling, negation and temporal inversion
change every sample, so that the ends rightly show them.) Permutation has pieces of 128 samples here: no seam of its
own falls into the ends.
"""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ecgtune.config import TransformsConfig
from ecgtune.transforms import TRANSFORMS, permutation, time_warping
from ecgtune.transforms.time_warping import warped_times

END = 64


def warped(x, generator):
    return torch.cat([time_warping(part, generator, pieces=9, stretch=1.05) for part in x.split(400)])


def joined_by_straight_lines(x, generator):
    time = warped_times(x, generator, pieces=9, stretch=1.05)
    left = time.floor().long().clamp(max=x.shape[1] - 2)
    return torch.lerp(x.gather(1, left), x.gather(1, left + 1), time - left)


def exactly_interpolated(x, generator):
    """Band-limited interpolation of the whole band, which leaves its top empty where time runs slower."""
    time = warped_times(x, generator, pieces=9, stretch=1.05)
    spectrum = torch.fft.rfft(torch.cat([x, x.flip(1)], dim=1))
    dense = torch.fft.irfft(spectrum, n=2 * x.shape[1] * 8) * 8
    return dense.gather(1, (time * 8).round().long())


def five_zeros_at_the_end(x, generator):
    view = warped(x, generator)
    view[:, -5:] = 0.0
    return view


def ends(views):
    return torch.stack([views[:, :END], views[:, -END:]], dim=1)


def by_samples(both):
    """The samples, their sizes, and the sizes of their first and second differences: finds zeros and smoothing."""
    slope = both.diff(dim=-1)
    parts = [both, both.abs(), slope.abs(), slope.diff(dim=-1).abs()]
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def by_spectrum(both):
    """The logarithm of the spectrum of each end: finds a gap in the band."""
    window = torch.hann_window(END)
    spectrum = torch.fft.rfft((both - both.mean(dim=-1, keepdim=True)) * window).abs()
    return (spectrum + 1e-3).log().flatten(1)


def accuracy(windows, warp, features, seed=0):
    """Held-out accuracy of logistic regression over three classes, and three standard errors of chance."""
    generator = torch.Generator().manual_seed(seed)
    windows = windows[torch.randperm(len(windows), generator=generator)]
    parts = windows.tensor_split([2 * len(windows) // 3])
    seen, classes = [], []
    for part in parts:
        views = [part, permutation(part, generator, pieces=20), warp(part, generator)]
        assert {view.shape for view in views} == {part.shape}
        seen.append(torch.cat([features(ends(view)) for view in views]))
        classes.append(torch.arange(3).repeat_interleave(len(part)))
    mean, std = seen[0].mean(dim=0), seen[0].std(dim=0) + 1e-6
    train, test = (((part - mean) / std).clamp(-5, 5) for part in seen)
    weight = torch.zeros(train.shape[1], 3, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=60, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(train @ weight, classes[0]) + 0.03 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    right = (test @ weight).argmax(dim=1) == classes[1]
    return right.double().mean().item(), 3 * math.sqrt(2 / 9 / len(test))


@pytest.mark.slow
def test_the_ends_stay_at_chance(pulses):
    found, margin = accuracy(pulses, warped, by_samples)
    assert found < 1 / 3 + margin


@pytest.mark.slow
@pytest.mark.parametrize("broken", [joined_by_straight_lines, five_zeros_at_the_end])
def test_the_classifier_finds_the_marks_of_a_careless_warp(pulses, broken):
    found, _ = accuracy(pulses, broken, by_samples)
    assert found > 0.5


@pytest.mark.slow
def test_the_band_has_no_gap(pulses):
    """A spectrum shows a little of the warp itself (frequencies move by 5 %), but not an empty top of the band."""
    found, margin = accuracy(pulses, warped, by_spectrum)
    assert found < 0.36 + margin
    assert accuracy(pulses, exactly_interpolated, by_spectrum)[0] > 0.45
    assert accuracy(pulses, joined_by_straight_lines, by_spectrum)[0] > 0.5


@pytest.mark.slow
def test_the_ends_of_real_windows_stay_at_chance(real_data):
    windows = torch.from_numpy(real_windows(real_data / "mitdb"))
    found, margin = accuracy(windows, warped, by_samples)
    assert found < 1 / 3 + margin
    assert accuracy(windows, five_zeros_at_the_end, by_samples)[0] > 0.5


def real_windows(folder: Path):
    import wfdb
    from scipy.signal import resample_poly

    windows = []
    for header in sorted(folder.glob("*.hea"))[:12]:
        record = wfdb.rdrecord(str(header.with_suffix("")), channels=[0])
        signal = resample_poly(record.p_signal[:, 0], 32, 45)
        cut = signal[: len(signal) // 2560 * 2560].reshape(-1, 2560)
        windows.append((cut - np.median(signal)) / signal.std())
    return np.concatenate(windows).astype(np.float32)


def test_no_view_is_shorter_or_padded(few_pulses, generator):
    """No class shows in the length of its views, nor in a run of equal samples at an end."""
    for name, transform in TRANSFORMS.items():
        views = transform(few_pulses, generator, TransformsConfig())
        assert views.shape == few_pulses.shape, name
        steps = ends(views).diff(dim=-1)
        assert (steps != 0).double().mean() > 0.99, name
        # Samples at the very ends vary from window to window as much as they do elsewhere.
        spread = views.std(dim=0)
        assert spread[[0, 1, 2, -3, -2, -1]].min() > 0.5 * spread.median(), name
