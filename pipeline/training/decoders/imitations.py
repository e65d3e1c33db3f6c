"""Cheap imitations of what decoders do to music: many kinds of fakes at a few milliseconds each.

Enters: human music, mono float32 ``[samples]``, and a random generator. Leaves: the same music with
some of its detail made up anew, of the same length. Generators differ in how they come by a
spectrum (from a mel spectrogram, from a few components that change slowly, from noise that is
shaped) and by a phase (from the one before, by a few iterations, at random), or in how their last
layer climbs to the audio rate. No imitation is good; that they are many is what counts, as with
self-blended images (Shiohara and Yamasaki, arXiv 2204.08376).
"""

from collections.abc import Callable
from functools import lru_cache

import librosa
import numpy as np
from librosa.filters import mel as mel_filters
from numpy.typing import NDArray

from artifactnet.pipeline.training.decoders.linear_codec import LinearCodecConfig, linear_codec

Audio = NDArray[np.float32]
Imitation = Callable[[Audio, int, np.random.Generator], Audio]
"""``imitation(audio, sample_rate, rng)``."""

FFT_SIZES = (512, 1024, 2048)
LEAST = 1e-12


@lru_cache(maxsize=64)
def _mel(sample_rate: int, n_fft: int, bands: int) -> tuple[NDArray, NDArray]:
    """Mel filters ``[bands, bins]`` and their pseudo-inverse."""
    filters = mel_filters(sr=sample_rate, n_fft=n_fft, n_mels=bands)
    return filters, np.linalg.pinv(filters)


def _from_mel(magnitude: NDArray, sample_rate: int, n_fft: int, bands: int) -> NDArray:
    """What is left of ``magnitude`` ``[bins, frames]`` after ``bands`` mel bands."""
    filters, inverse = _mel(sample_rate, n_fft, bands)
    return np.sqrt(np.maximum(inverse @ (filters @ np.square(magnitude)), LEAST))


def _spectrum(audio: Audio, rng: np.random.Generator) -> tuple[NDArray, int, int]:
    n_fft = int(rng.choice(FFT_SIZES))
    hop = n_fft // 4
    return librosa.stft(audio, n_fft=n_fft, hop_length=hop), n_fft, hop


def _with_guessed_phase(
    magnitude: NDArray, original: NDArray, n_fft: int, hop: int, rng: np.random.Generator, size: int
) -> Audio:
    """Sound of ``magnitude`` and of the phase of ``original``, blurred more towards one end.

    Up to three iterations after Griffin and Lim (1984) make the two fit each other.
    """
    noise = rng.normal(size=original.shape) * rng.uniform(0, 1.2)
    noise *= np.linspace(rng.uniform(0, 1), 1, len(original))[:, None]
    cells = magnitude * np.exp(1j * (np.angle(original) + noise))
    for _ in range(int(rng.integers(0, 4))):
        sound = librosa.istft(cells, hop_length=hop, n_fft=n_fft, length=size)
        again = librosa.stft(sound, n_fft=n_fft, hop_length=hop)
        cells = magnitude * again / (np.abs(again) + 1e-9)
    return librosa.istft(cells, hop_length=hop, n_fft=n_fft, length=size)


def linear(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """One strided matrix in and one out, see ``linear_codec.py``; better ones than those there."""
    del sample_rate
    config = LinearCodecConfig(
        hop_length=int(2 ** rng.uniform(4, 11)),
        overlap=int(rng.integers(1, 5)),
        kept=float(rng.uniform(0.4, 0.95)),
        levels=int(rng.choice([33, 129, 1025])),
        ridge=float(10 ** rng.uniform(-3.5, -1)),
        seed=int(rng.integers(1 << 30)),
    )
    return linear_codec(audio, config)


def mel(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """Magnitudes drawn towards those of 64 to 200 mel bands, as vocoders know no others."""
    spectrum, n_fft, hop = _spectrum(audio, rng)
    magnitude = np.abs(spectrum)
    bands = int(rng.choice([64, 80, 128, 200]))
    smooth = _from_mel(magnitude, sample_rate, n_fft, bands)
    share = rng.uniform(0.3, 1)
    mixed = np.exp((1 - share) * np.log(magnitude + 1e-6) + share * np.log(smooth + 1e-6))
    return _with_guessed_phase(mixed, spectrum, n_fft, hop, rng, len(audio))


def components(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """Log magnitudes of 16 to 96 components, slowed down and noisy, as a latent space has them."""
    del sample_rate
    spectrum, n_fft, hop = _spectrum(audio, rng)
    magnitude = np.abs(spectrum)
    log = np.log(magnitude + 1e-5 * magnitude.max())
    mean = log.mean(axis=1, keepdims=True)
    kept = int(rng.integers(16, 97))
    basis, strengths, courses = np.linalg.svd(log - mean, full_matrices=False)
    latent = strengths[:kept, None] * courses[:kept]
    factor = int(rng.choice([1, 2, 4]))
    if factor > 1:
        frames = np.arange(latent.shape[1])
        latent = np.stack([np.interp(frames, frames[::factor], one[::factor]) for one in latent])
    spread = latent.std(axis=1, keepdims=True)
    latent = latent + rng.normal(size=latent.shape) * spread * rng.uniform(0, 0.1)
    made = np.exp(mean + basis[:, :kept] @ latent)
    return _with_guessed_phase(made, spectrum, n_fft, hop, rng, len(audio))


def noise(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """Above 2.5 to 8 kHz mostly noise in the shape of mel bands."""
    spectrum, n_fft, hop = _spectrum(audio, rng)
    bands = int(rng.choice([64, 80, 128]))
    shape = _from_mel(np.abs(spectrum), sample_rate, n_fft, bands)
    white = rng.normal(size=len(audio)).astype(np.float32)
    made = librosa.stft(white, n_fft=n_fft, hop_length=hop)
    made = made / np.sqrt(np.mean(np.square(np.abs(made)))) * shape
    hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    begin = rng.uniform(2500, 8000)
    share = 1 / (1 + np.exp(-(hz - begin) / rng.uniform(100, 800)))[:, None] * rng.uniform(0.5, 1)
    mixed = (1 - share) * spectrum + share * made
    return librosa.istft(mixed, hop_length=hop, n_fft=n_fft, length=len(audio))


IMITATIONS: tuple[Imitation, ...] = (linear, mel, components, noise)
