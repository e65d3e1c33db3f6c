"""Both halves of a couple end at the same frequency, so that bandwidth says nothing.

Enters: couples float32 ``[..., 2, samples]``. Leaves: the same, and where one half ends lower, both
low-passed there. A decoder at 16 kHz, or a web page that offers 24 kHz, would else be told by
the empty octave above, and full-band generators be taken for genuine.
"""

import numpy as np
from numpy.typing import NDArray

BAND_HZ = 200.0
EMPTY_DB = 70.0
"""A band this far below the strongest is empty: rounding to 16 bits, or what a codec leaves out."""
TRANSITION = 0.04
"""Of the cut-off: where the low-pass falls from one to zero."""
ALIKE = 0.96
"""Cut-offs whose ratio is above this are left as they are."""
ROUNDING = 0.5 / 32_768


def cut_offs(power: NDArray[np.float32], band_bins: int) -> NDArray[np.intp]:
    """First bin ``[...]`` above which every band of ``power`` ``[..., bins]`` is empty."""
    bands = power.shape[-1] // band_bins
    levels = power[..., : bands * band_bins].reshape(*power.shape[:-1], bands, band_bins)
    levels = levels.mean(axis=-1)
    heard = levels > levels.max(axis=-1, keepdims=True) * 10 ** (-EMPTY_DB / 10)
    last = bands - 1 - np.argmax(heard[..., ::-1], axis=-1)
    return (last + 1) * band_bins


def match_bandwidth(
    couples: NDArray[np.float32], sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Give both halves of each couple the bandwidth of the narrower one.

    Args:
      couples: float32 ``[..., 2, samples]``, full scale 1.
      sample_rate: Hz.
      rng: draws the rounding noise that a filtered file would have.

    Returns:
      float32 of the same shape; couples whose halves end alike are unchanged.
    """
    samples = couples.shape[-1]
    spectrum = np.fft.rfft(couples)
    # Without a window the jump from the last sample to the first would fill every band.
    power = np.abs(np.fft.rfft(couples * np.hanning(samples))) ** 2
    ends = cut_offs(power, max(1, round(BAND_HZ * samples / sample_rate)))
    low, high = ends.min(axis=-1), ends.max(axis=-1)
    narrow = low < ALIKE * high
    bins = np.arange(spectrum.shape[-1])
    end = low[..., None, None]
    fall = np.clip((end - bins) / (TRANSITION * end), 0, 1)
    filtered = np.fft.irfft(spectrum * np.sin(np.pi / 2 * fall) ** 2, samples)
    filtered += rng.uniform(-ROUNDING, ROUNDING, filtered.shape)
    return np.where(narrow[..., None, None], filtered, couples).astype(np.float32)
