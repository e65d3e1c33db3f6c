"""Short-time spectra that forensic statistics are measured on, and which of their bins hold sound.

Enters: mono float32 audio ``[samples]`` at 44.1 kHz. Leaves: cells, their log magnitude, mean power
of the bins; bands as slices of bins; whether a bin holds sound.
"""

import itertools
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import uniform_filter1d

Array = NDArray[np.float32]

SAMPLE_RATE = 44_100
SHORTEST = SAMPLE_RATE
"""Samples below which nothing is measured."""

LONG_FFT, LONG_HOP = 2048, 512
SHORT_FFT, SHORT_HOP = 512, 128
HULL_FFT, HULL_HOP = 8192, 4096
WINDOWS = {
    size: np.hanning(size + 1)[:-1].astype(np.float32) for size in (LONG_FFT, SHORT_FFT, HULL_FFT)
}
TOP_HZ = 16_900
"""Nothing is measured above; the bands end 700 Hz below, so that running means are whole."""

EMPTY_DB = 75.0
"""A band this far below the strongest holds no sound, only rounding or a coder's rest."""
FLOOR = 1e-10
"""Of the strongest bin's mean power: added to every cell before its logarithm."""


class Spectrum(NamedTuple):
    """One transform up to ``TOP_HZ``, and the mean power of all its bins.

    Attributes:
      cells: complex64 ``[bins, frames]``.
      log_magnitude: float32 ``[bins, frames]``, nepers.
      power: float32 ``[all bins]``.
      hz: width of a bin.
    """

    cells: NDArray[np.complex64]
    log_magnitude: Array
    power: Array
    hz: float


def transform(audio: Array, size: int, hop: int) -> Spectrum:
    """Transform ``audio`` ``[samples]`` by windows of ``size``, one of those in ``WINDOWS``."""
    frames = sliding_window_view(audio, size)[::hop] * WINDOWS[size]
    spectrum = fft.rfft(frames, axis=1, overwrite_x=True)
    squared = np.square(spectrum.real)
    squared += np.square(spectrum.imag)
    power = squared.mean(axis=0)
    hz = SAMPLE_RATE / size
    top = round(TOP_HZ / hz)
    log = np.ascontiguousarray(squared[:, :top].T)
    log += np.float32(FLOOR * power.max())
    np.log(log, out=log)
    log *= np.float32(0.5)
    return Spectrum(spectrum[:, :top].T, log, power, hz)


def band_bins(edges: tuple[int, ...], hz: float) -> list[slice]:
    """Bins, each ``hz`` wide, between neighbouring ``edges`` in Hz."""
    marks = [round(edge / hz) for edge in edges]
    return [slice(low, high) for low, high in itertools.pairwise(marks)]


def sounding_bins(power: Array, hz: float) -> NDArray[np.bool_]:
    """Of each bin: some 200 Hz around it hold sound, and so do all but few of those below it."""
    width = max(1, round(200 / hz))
    level = uniform_filter1d(power, width, mode="nearest")
    heard = level > level.max() * 10 ** (-EMPTY_DB / 10)
    last = len(heard) - int(np.argmax(heard[::-1]))
    # The fall of a low-pass is no music: the last 300 Hz are left out.
    edge = max(0, last - round(300 / hz)) if last < len(heard) else last
    return heard & (np.arange(len(heard)) < edge)


def usable_bands(bands: list[slice], sounding: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each band: whether all but a twentieth of its bins hold sound."""
    return np.array([bool(sounding[band].mean() > 0.95) for band in bands])


def trimmed(audio: Array) -> Array:
    """``audio`` without the zeros that pad it at either end."""
    sound = audio.nonzero()[0]
    return audio[sound[0] : sound[-1] + 1] if len(sound) else audio[:0]


def levelled(audio: Array) -> Array | None:
    """``audio`` ``[samples]`` trimmed, its RMS .1; ``None`` with less than a second of sound."""
    audio = trimmed(np.asarray(audio, np.float32))
    level = float(np.sqrt(np.mean(audio.astype(np.float64) ** 2))) if len(audio) else 0.0
    if len(audio) < SHORTEST or level < 1e-6:
        return None
    return audio * np.float32(0.1 / level)


def at_percentiles(values: Array, percentiles: tuple[int, ...]) -> Array:
    """Values ``[percentiles]`` at ``percentiles`` of ``values``, none of them interpolated."""
    ordered = np.sort(values)
    return ordered[[int(p / 100 * (len(ordered) - 1)) for p in percentiles]]
