"""A signal read along another course of time, without a mark that interpolation left.

Two marks would tell a warped view from an untouched one by the noise of a few samples, and a network learns such
marks before it learns any ECG:

- Straight lines between samples are a low-pass filter; they take a third of the power out of white noise. The signal
  is therefore made dense with the Fourier transform, and straight lines join only the dense samples.
- Even exact interpolation leaves the top of the band empty where time runs slower, because all frequencies sink.
  There is no ECG up there, but there is the white noise of every recorder. So what lies close to the Nyquist
  frequency is not interpolated: it moves along in steps of whole samples and keeps its texture.

The two parts cross over with constant power (cosine and sine), as they are shifted against each other.
"""

import math

import torch
from torch import Tensor

# Dense samples per sample. Straight lines then err by -58 dB at a quarter of the Nyquist frequency, -46 dB at half.
DENSITY = 8
# Where the crossover to the part that is not interpolated begins, as a fraction of the Nyquist frequency at which it
# ends: 90 Hz of 128 Hz.
CROSSOVER = 0.7
# In samples. Shorter steps would break the texture up; with longer ones a sharp beat would leave its treble behind.
STEP = 16


def read_along(x: Tensor, time: Tensor) -> Tensor:
    """Read windows along another course of time.

    Beyond its ends a window goes on as its mirror image, so that they are no jump to the Fourier transform.

    Args:
        x: windows [batch, n_times].
        time: [batch, n_times], which time of `x` each sample shows, in samples from 0 to n_times - 1.

    Returns:
        [batch, n_times], of the dtype of `x`.
    """
    n_times = x.shape[1]
    precise = x.to(torch.promote_types(x.dtype, torch.float32))
    spectrum = torch.fft.rfft(torch.cat([precise, precise.flip(1)], dim=1))
    frequency = torch.linspace(0.0, 1.0, n_times + 1, device=x.device, dtype=precise.dtype)
    angle = (math.pi / 2) * ((frequency - CROSSOVER) / (1.0 - CROSSOVER)).clamp(min=0.0)
    body = torch.fft.irfft(spectrum * angle.cos(), n=2 * n_times * DENSITY) * DENSITY
    texture = torch.fft.irfft(spectrum * angle.sin(), n=2 * n_times)

    dense = time * DENSITY
    left = dense.floor().long()
    between = torch.lerp(body.gather(1, left), body.gather(1, left + 1), (dense - left).to(body.dtype))
    now = torch.arange(n_times, device=x.device)
    whole = now + STEP * ((time - now) / STEP).round().long()
    # Beyond the end lies the mirror image; before the beginning lies its last part.
    view: Tensor = between + texture.gather(1, whole % (2 * n_times))
    return view.to(x.dtype)
