"""What the world does to real music, and what must not be taken for a neural decoder.

Enters: mono float32 audio ``[samples]``. Leaves: the same length, after one degradation that
leaves traces of its own: cheap resampling, band replication, bit crushing, limiting, time
stretching, pitch shifting, noise reduction, hiss. Detectors are known to accuse exactly
these, so real crops pass through them and stay real.
"""

from collections.abc import Callable

import librosa
import numpy as np
import soxr
from librosa.effects import pitch_shift, time_stretch
from numpy.typing import NDArray

Audio = NDArray[np.float32]
Degradation = Callable[[Audio, int, np.random.Generator], Audio]


def _fit(audio: NDArray, samples: int) -> Audio:
    return np.pad(audio, (0, max(0, samples - len(audio))))[:samples].astype(np.float32)


def zero_order_hold(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """Old samplers: a low rate brought up by repeating samples, images and all."""
    low = int(rng.choice([8000, 11_025, 16_000, 22_050]))
    coarse = soxr.resample(audio, sample_rate, low)
    index = np.arange(len(audio)) * low // sample_rate
    return coarse[np.minimum(index, len(coarse) - 1)]


def linear_resampling(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """A tracker's resampler: no filter, straight lines between samples."""
    low = int(rng.choice([11_025, 16_000, 22_050, 32_000]))
    coarse = np.interp(np.arange(0, len(audio), sample_rate / low), np.arange(len(audio)), audio)
    position = np.arange(len(audio)) * low / sample_rate
    return np.interp(position, np.arange(len(coarse)), coarse).astype(np.float32)


def bit_crushing(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """4 to 10 bits a sample."""
    steps = 2.0 ** rng.integers(4, 11) / 2
    peak = max(float(np.abs(audio).max()), 1e-6)
    return (np.round(audio / peak * steps) / steps * peak).astype(np.float32)


def band_replication(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """HE-AAC's trick: the upper band is a quieter copy of the band below it."""
    spectrum = librosa.stft(audio, n_fft=1024, hop_length=256)
    cut = int(rng.uniform(4000, 9000) / sample_rate * 1024)
    width = min(cut - 1, spectrum.shape[0] - cut)
    envelope = np.abs(spectrum[cut : cut + width]).mean(axis=1, keepdims=True)
    copied = spectrum[cut - width : cut]
    level = np.abs(copied).mean(axis=1, keepdims=True)
    spectrum[cut : cut + width] = copied * envelope / np.maximum(level, 1e-9)
    spectrum[cut + width :] = 0
    return _fit(librosa.istft(spectrum, hop_length=256, n_fft=1024), len(audio))


def limiting(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """A loud master: 6 to 18 dB into a soft or hard clipper."""
    driven = audio / max(float(np.abs(audio).max()), 1e-6) * 10 ** (rng.uniform(6, 18) / 20)
    shaped = np.tanh(driven) if rng.random() < 0.5 else np.clip(driven, -1, 1)
    return shaped.astype(np.float32)


def time_stretching(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """A phase vocoder, 0.8 to 1.25 times as fast."""
    return _fit(time_stretch(audio, rate=float(rng.uniform(0.8, 1.25))), len(audio))


def pitch_shifting(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """A phase vocoder and a resampler, up to three semitones."""
    steps = float(rng.uniform(-3, 3))
    return pitch_shift(audio, sr=sample_rate, n_steps=steps, res_type="soxr_mq")


def noise_reduction(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """A spectral gate: each bin below its usual level is turned down."""
    spectrum = librosa.stft(audio, n_fft=2048, hop_length=512)
    magnitude = np.abs(spectrum)
    floor = np.quantile(magnitude, rng.uniform(0.2, 0.6), axis=1, keepdims=True)
    gain = np.where(magnitude < 1.5 * floor, 10 ** (-rng.uniform(6, 24) / 20), 1.0)
    return _fit(librosa.istft(spectrum * gain, hop_length=512, n_fft=2048), len(audio))


def hiss(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """Tape hiss, and now and then the crackle of vinyl."""
    level = float(np.sqrt(np.mean(audio**2))) * 10 ** (-rng.uniform(15, 40) / 20)
    noise = rng.standard_normal(len(audio))
    if rng.random() < 0.5:
        noise += 30 * rng.standard_normal(len(audio)) * (rng.random(len(audio)) < 1e-3)
    return (audio + level * noise).astype(np.float32)


DEGRADATIONS: tuple[Degradation, ...] = (
    zero_order_hold,
    linear_resampling,
    bit_crushing,
    band_replication,
    limiting,
    time_stretching,
    pitch_shifting,
    noise_reduction,
    hiss,
)


def degrade(audio: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    """One degradation, drawn at random."""
    return DEGRADATIONS[rng.integers(len(DEGRADATIONS))](audio, sample_rate, rng)
