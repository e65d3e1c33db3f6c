"""The random augmentation that every training example passes through, whatever its class.

Enters: mono float32 audio ``[samples]``. Leaves: the same length after resampling, low-pass,
equalisation, level, and none to two lossy codecs. An augmentation is drawn first and applied
after, so that both halves of a pair go through the same one: then its bandwidth, loudness and
codec say nothing about the class. What was done to a half before it came here stays in it.
Bandwidth above all: a decoder at 16 kHz, or a web page that offers 24 kHz, would be told by the
empty octave above, and full-band generators be taken for real. ``match_bandwidth`` gives both
halves of a pair that of the narrower one.
"""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from artifactnet.transforms.audio.codec_spec import CodecSpec
from artifactnet.transforms.audio.lossy_codec import PyAVBackend, codec_roundtrip
from artifactnet.transforms.elements.errors import CodecError

Audio = NDArray[np.float32]

BITRATES = {
    "mp3": (48_000, 64_000, 96_000, 128_000, 192_000, 256_000, 320_000),
    "aac": (48_000, 64_000, 96_000, 128_000, 192_000, 256_000),
    "opus": (24_000, 48_000, 64_000, 96_000, 128_000, 160_000),
    "vorbis": (64_000, 96_000, 128_000, 192_000),
}
NARROW_RATES = (16_000, 22_050, 24_000, 32_000, 48_000)


@dataclass(frozen=True)
class Augmentation:
    """One drawn augmentation, applied in the order of its fields.

    Attributes:
      rate: sample rate in Hz passed through; 0 for none.
      low_pass: cut-off in Hz; 0 for none.
      tilt: gains in dB at 60 Hz and 16 kHz, linear in log frequency between; zeros for none.
      peak: peak level, then rounded to 16 bit.
      codecs: applied one after the other.
    """

    rate: int
    low_pass: float
    tilt: tuple[float, float]
    peak: float
    codecs: tuple[CodecSpec, ...]


def draw_augmentation(rng: np.random.Generator) -> Augmentation:
    """Draw an augmentation: four in ten narrow the band, eight in ten use a lossy codec."""
    codecs = []
    for _ in range(rng.choice([0, 1, 2], p=[0.2, 0.55, 0.25])):
        name = str(rng.choice(list(BITRATES)))
        codecs.append(CodecSpec(name, int(rng.choice(BITRATES[name]))))
    return Augmentation(
        rate=int(rng.choice(NARROW_RATES)) if rng.random() < 0.3 else 0,
        low_pass=float(np.exp(rng.uniform(np.log(5_000), np.log(19_000))))
        if rng.random() < 0.3
        else 0.0,
        tilt=(float(rng.normal(0, 4)), float(rng.normal(0, 4))) if rng.random() < 0.4 else (0, 0),
        peak=float(10 ** (rng.uniform(-24, 0) / 20)),
        codecs=tuple(codecs),
    )


def _filter(
    audio: NDArray[np.float32], sample_rate: int, augmentation: Augmentation
) -> NDArray[np.float32]:
    spectrum = np.fft.rfft(audio)
    frequency = np.fft.rfftfreq(len(audio), 1 / sample_rate)
    position = np.clip(np.log(np.maximum(frequency, 60) / 60) / np.log(16_000 / 60), 0, 1)
    gain = 10 ** ((augmentation.tilt[0] * (1 - position) + augmentation.tilt[1] * position) / 20)
    if augmentation.low_pass:
        gain /= np.sqrt(1 + (frequency / augmentation.low_pass) ** 24)
    return np.fft.irfft(spectrum * gain, len(audio)).astype(np.float32)


def before_codecs(audio: Audio, sample_rate: int, augmentation: Augmentation) -> Audio:
    """``audio`` ``[samples]`` after all of ``augmentation`` but its codecs."""
    samples = len(audio)
    if augmentation.rate:
        narrow = soxr.resample(audio, sample_rate, augmentation.rate)
        audio = soxr.resample(narrow, augmentation.rate, sample_rate)
        audio = np.pad(audio, (0, max(0, samples - len(audio))))[:samples]
    if augmentation.low_pass or any(augmentation.tilt):
        audio = _filter(audio, sample_rate, augmentation)
    audio = audio * (augmentation.peak / max(float(np.abs(audio).max()), 1e-6))
    return (np.round(audio * 32767) / 32767).astype(np.float32)


def augment(
    audios: tuple[Audio, ...], sample_rate: int, augmentation: Augmentation
) -> tuple[Audio, ...]:
    """Pass each of ``audios``, float32 ``[samples]``, through ``augmentation``; lengths are kept.

    A codec that refuses one of them (too quiet, too short) is left out for all.
    """
    audios = tuple(before_codecs(audio, sample_rate, augmentation) for audio in audios)
    backend = PyAVBackend()
    for spec in augmentation.codecs:
        try:
            audios = tuple(
                np.clip(codec_roundtrip(audio, sample_rate, spec, backend), -1, 1)
                for audio in audios
            )
        except CodecError:
            continue
    return audios


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
    pairs: NDArray[np.float32], sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Give both halves of each pair the bandwidth of the narrower one.

    Args:
      pairs: float32 ``[..., 2, samples]``, full scale 1.
      sample_rate: Hz.
      rng: draws the rounding noise that a filtered file would have.

    Returns:
      float32 of the same shape; pairs whose halves end alike are unchanged.
    """
    samples = pairs.shape[-1]
    spectrum = np.fft.rfft(pairs)
    # Without a window the jump from the last sample to the first would fill every band.
    power = np.abs(np.fft.rfft(pairs * np.hanning(samples))) ** 2
    ends = cut_offs(power, max(1, round(BAND_HZ * samples / sample_rate)))
    low, high = ends.min(axis=-1), ends.max(axis=-1)
    narrow = low < ALIKE * high
    bins = np.arange(spectrum.shape[-1])
    end = low[..., None, None]
    fall = np.clip((end - bins) / (TRANSITION * end), 0, 1)
    filtered = np.fft.irfft(spectrum * np.sin(np.pi / 2 * fall) ** 2, samples)
    filtered += rng.uniform(-ROUNDING, ROUNDING, filtered.shape)
    return np.where(narrow[..., None, None], filtered, pairs).astype(np.float32)
