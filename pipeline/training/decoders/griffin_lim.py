"""Music whose magnitudes were kept and whose phases were found anew, for training.

Enters: human music, mono float32 ``[samples]``, and a random generator. Leaves: what a generator
makes of it that draws spectrograms and has Griffin and Lim's iterations find the phases, as
Riffusion and Msanii do, and beside it the music at the same rate and bandwidth. No network makes
the sound, so none of a decoder's traces is in it: what tells is that phases fit windows of one
length and hop, and nothing else.
"""

from dataclasses import dataclass

import librosa
import numpy as np
import soxr
from librosa.filters import mel as mel_filters
from numpy.typing import NDArray

Audio = NDArray[np.float32]

RATES = (16_000, 22_050, 24_000, 32_000, 44_100)
KEEPS_RATE = 0.5
"""Share of the crops that stay at their own rate."""
WINDOW_SECONDS = (0.02, 0.1)
STEP = 64
"""Samples: windows are its multiples, whose transforms are fast."""
HOPS_A_WINDOW = (2, 3, 4, 4, 4, 8, 10)
PADDING = (1, 1, 1, 1, 1, 2, 4)
"""FFT size over window: Riffusion pads 100 ms to 400."""
MEL_BANDS = (0, 64, 80, 128, 256, 512)
"""0 for magnitudes of all bins."""
ITERATIONS = (16, 32, 32, 60)
LEAST = 1e-12
IMAGE_RANGE_DB = 80.0


@dataclass(frozen=True)
class Inversion:
    """What was drawn."""

    rate: int
    window: int
    hop: int
    n_fft: int
    mel_bands: int
    top_hz: float
    """Above it there is nothing."""
    image: str
    """``db`` or ``root``: magnitudes as an image of 256 levels; empty: as they are."""
    error: float
    """Standard deviation of the logarithm of what a model gets wrong."""
    iterations: int
    momentum: float


def drawn(sample_rate: int, rng: np.random.Generator) -> Inversion:
    """A way from magnitudes to sound for music at ``sample_rate`` Hz."""
    lower = [rate for rate in RATES if rate < sample_rate]
    rate = sample_rate
    if lower and rng.random() >= KEEPS_RATE:
        rate = int(rng.choice(lower))
    low, high = np.log(WINDOW_SECONDS)
    window = int(rate * np.exp(rng.uniform(low, high)) / STEP) * STEP
    mel_bands = int(rng.choice(MEL_BANDS))
    nyquist = rate / 2
    return Inversion(
        rate=rate,
        window=window,
        hop=max(1, window // int(rng.choice(HOPS_A_WINDOW))),
        n_fft=window * int(rng.choice(PADDING)),
        mel_bands=mel_bands,
        top_hz=min(nyquist, 10_000.0) if mel_bands and rng.random() < 0.4 else nyquist,
        image=str(rng.choice(("", "db", "root"))) if mel_bands else "",
        error=float(rng.uniform(0.05, 0.4)) if mel_bands and rng.random() < 0.4 else 0.0,
        iterations=int(rng.choice(ITERATIONS)),
        momentum=float(rng.choice((0.0, 0.99))),
    )


def _as_image(power: NDArray, image: str) -> NDArray:
    """``power`` of no more than 256 levels."""
    top = power.max() + LEAST
    if image == "root":
        return (np.round((power / top) ** 0.25 * 255) / 255) ** 4 * top
    decibels = 10 * np.log10(np.maximum(power / top, 10 ** (-IMAGE_RANGE_DB / 10)))
    steps = np.round((decibels / IMAGE_RANGE_DB + 1) * 255)
    return 10 ** ((steps / 255 - 1) * IMAGE_RANGE_DB / 10) * top


def griffin_lim(
    audio: Audio, sample_rate: int, rng: np.random.Generator, inversion: Inversion | None = None
) -> tuple[Audio, Audio, int]:
    """``audio`` at a rate that is drawn, the same with phases found anew, and that rate.

    The iterations are Griffin and Lim's (1984), with the momentum of Perraudin et al. (2013).

    Args:
      audio: mono float32 ``[samples]``.
      sample_rate: of ``audio``, Hz.
      rng: of all draws.
      inversion: in place of one that is drawn.

    Returns:
      Both float32 ``[samples]``, and their sample rate in Hz.
    """
    how = inversion or drawn(sample_rate, rng)
    if how.rate != sample_rate:
        audio = soxr.resample(audio, sample_rate, how.rate)
    size = {"n_fft": how.n_fft, "hop_length": how.hop, "win_length": how.window}
    cells = librosa.stft(audio.astype(np.float32), **size)
    cells[librosa.fft_frequencies(sr=how.rate, n_fft=how.n_fft) > how.top_hz] = 0
    real = librosa.istft(cells, length=len(audio), **size)
    magnitude = np.abs(cells)
    if how.mel_bands:
        filters = mel_filters(sr=how.rate, n_fft=how.n_fft, n_mels=how.mel_bands, fmax=how.top_hz)
        power = filters @ np.square(magnitude)
        if how.image:
            power = _as_image(power, how.image)
        if how.error:
            power = power * np.exp(rng.normal(size=power.shape) * how.error)
        magnitude = np.sqrt(np.maximum(np.linalg.pinv(filters) @ power, LEAST))
    fake = librosa.griffinlim(
        magnitude.astype(np.float32),
        n_iter=how.iterations,
        momentum=how.momentum,
        length=len(audio),
        random_state=int(rng.integers(2**31)),
        **size,
    )
    return real.astype(np.float32), fake.astype(np.float32), how.rate
