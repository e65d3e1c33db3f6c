"""Music whose magnitudes were kept and whose phases were found anew, for training.

Enters: human music, mono float32 ``[samples]``, and a random generator. Leaves: what a generator
makes of it that draws spectrograms and has Griffin and Lim's iterations find the phases, as
Riffusion and Msanii do, and beside it the music at the same rate. No network makes the sound, so
none of a decoder's traces is in it: what tells is that phases fit windows of one length and hop,
and nothing else.
"""

import warnings

import librosa
import numpy as np
import soxr
from librosa.filters import mel as mel_filters
from numpy.typing import NDArray

Audio = NDArray[np.float32]

RATES = (16_000, 22_050, 24_000, 32_000, 44_100)
RESAMPLED = 0.5
"""Share of the crops that are taken to one of ``RATES``, or stay where theirs is lower."""
FFT_SIZES, FFT_SIZES_ABOVE = (512, 1024, 2048), (1024, 2048, 4096)
"""At rates up to ``SMALL_RATE``, and above."""
SMALL_RATE = 24_000
HOPS_A_WINDOW = (4, 4, 8, 3)
WINDOWS = ("hann", "hann", "hamming")
MEL_BANDS = (0, 64, 80, 128, 256, 512)
"""0 for magnitudes of all bins."""
AS_IMAGE, WITH_ERROR = 0.5, 0.4
"""Shares of the mel spectrograms that have 256 levels, and a model's error."""
ERRORS = (0.05, 0.4)
"""Standard deviation of the logarithm of what a model gets wrong."""
IMAGE_RANGE_DB = 80.0
ITERATIONS = (16, 32, 60)
MOMENTA = (0.0, 0.99)
LEAST = 1e-12


def _as_image(power: NDArray) -> NDArray:
    """``power`` of no more than 256 levels, evenly spaced in decibels."""
    top = power.max()
    decibels = librosa.power_to_db(power, ref=top, top_db=IMAGE_RANGE_DB)
    levels = np.round((decibels + IMAGE_RANGE_DB) / IMAGE_RANGE_DB * 255)
    return 10 ** ((levels / 255 * IMAGE_RANGE_DB - IMAGE_RANGE_DB) / 10) * top


def _through_mel(
    magnitude: NDArray, sample_rate: int, n_fft: int, bands: int, rng: np.random.Generator
) -> NDArray:
    """What ``magnitude`` ``[bins, frames]`` is after a mel spectrogram that a model drew."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # bands narrower than a bin stay empty
        filters = mel_filters(sr=sample_rate, n_fft=n_fft, n_mels=bands)
    power = filters @ magnitude**2
    if rng.random() < AS_IMAGE:
        power = _as_image(power)
    if rng.random() < WITH_ERROR:
        power = power * np.exp(rng.normal(size=power.shape) * rng.uniform(*ERRORS))
    return np.sqrt(np.maximum(np.linalg.pinv(filters) @ power, LEAST))


def griffin_lim(
    audio: Audio, sample_rate: int, rng: np.random.Generator
) -> tuple[Audio, Audio, int]:
    """``audio`` at a rate that is drawn, the same with phases found anew, and that rate.

    The iterations are Griffin and Lim's (1984), with the momentum of Perraudin et al. (2013).

    Args:
      audio: mono float32 ``[samples]``.
      sample_rate: of ``audio``, Hz.
      rng: of all draws.

    Returns:
      Both float32 ``[samples]``, and their sample rate in Hz.
    """
    rate = sample_rate
    if rng.random() < RESAMPLED:
        rate = min(int(rng.choice(RATES)), sample_rate)
        if rate != sample_rate:
            audio = soxr.resample(audio, sample_rate, rate).astype(np.float32)
    n_fft = int(rng.choice(FFT_SIZES_ABOVE if rate > SMALL_RATE else FFT_SIZES))
    hop_length = n_fft // int(rng.choice(HOPS_A_WINDOW))
    window = str(rng.choice(WINDOWS))
    magnitude = np.abs(librosa.stft(audio, n_fft=n_fft, hop_length=hop_length, window=window))
    bands = int(rng.choice(MEL_BANDS))
    if bands:
        magnitude = _through_mel(magnitude, rate, n_fft, bands, rng)
    fake = librosa.griffinlim(
        magnitude.astype(np.float32),
        n_iter=int(rng.choice(ITERATIONS)),
        hop_length=hop_length,
        n_fft=n_fft,
        window=window,
        momentum=float(rng.choice(MOMENTA)),
        length=len(audio),
        random_state=int(rng.integers(1 << 30)),
    )
    return audio, fake.astype(np.float32), rate
