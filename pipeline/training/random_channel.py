"""The random chain that every training example passes through, whatever its class.

Enters: mono float32 audio ``[samples]``. Leaves: the same length after resampling,
low-pass, equalisation, level, and none to two lossy codecs. A channel is drawn first and
applied after, so that both halves of a pair go through the same one: then bandwidth,
loudness and codec of the channel say nothing about the class. What was done to a half before it
came here stays in it; see :mod:`pipeline.training.bandwidth`.
"""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from transforms.audio_errors import CodecError
from transforms.codec_roundtrip import CodecSpec, PyAVBackend, codec_roundtrip

Audio = NDArray[np.float32]

BITRATES = {
    "mp3": (48_000, 64_000, 96_000, 128_000, 192_000, 256_000, 320_000),
    "aac": (48_000, 64_000, 96_000, 128_000, 192_000, 256_000),
    "opus": (24_000, 48_000, 64_000, 96_000, 128_000, 160_000),
    "vorbis": (64_000, 96_000, 128_000, 192_000),
}
NARROW_RATES = (16_000, 22_050, 24_000, 32_000, 48_000)


@dataclass(frozen=True)
class Channel:
    """One drawn chain, applied in the order of its fields.

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


def draw_channel(rng: np.random.Generator) -> Channel:
    """Draw a chain: four in ten narrow the band, eight in ten use a lossy codec."""
    codecs = []
    for _ in range(rng.choice([0, 1, 2], p=[0.2, 0.55, 0.25])):
        name = str(rng.choice(list(BITRATES)))
        codecs.append(CodecSpec(name, int(rng.choice(BITRATES[name]))))
    return Channel(
        rate=int(rng.choice(NARROW_RATES)) if rng.random() < 0.3 else 0,
        low_pass=float(np.exp(rng.uniform(np.log(5_000), np.log(19_000))))
        if rng.random() < 0.3
        else 0.0,
        tilt=(float(rng.normal(0, 4)), float(rng.normal(0, 4))) if rng.random() < 0.4 else (0, 0),
        peak=float(10 ** (rng.uniform(-24, 0) / 20)),
        codecs=tuple(codecs),
    )


def _filter(audio: NDArray[np.float32], sample_rate: int, channel: Channel) -> NDArray[np.float32]:
    spectrum = np.fft.rfft(audio)
    frequency = np.fft.rfftfreq(len(audio), 1 / sample_rate)
    position = np.clip(np.log(np.maximum(frequency, 60) / 60) / np.log(16_000 / 60), 0, 1)
    gain = 10 ** ((channel.tilt[0] * (1 - position) + channel.tilt[1] * position) / 20)
    if channel.low_pass:
        gain /= np.sqrt(1 + (frequency / channel.low_pass) ** 24)
    return np.fft.irfft(spectrum * gain, len(audio)).astype(np.float32)


def _before_codecs(audio: Audio, sample_rate: int, channel: Channel) -> Audio:
    samples = len(audio)
    if channel.rate:
        narrow = soxr.resample(audio, sample_rate, channel.rate)
        audio = soxr.resample(narrow, channel.rate, sample_rate)
        audio = np.pad(audio, (0, max(0, samples - len(audio))))[:samples]
    if channel.low_pass or any(channel.tilt):
        audio = _filter(audio, sample_rate, channel)
    audio = audio * (channel.peak / max(float(np.abs(audio).max()), 1e-6))
    return (np.round(audio * 32767) / 32767).astype(np.float32)


def apply_channel(
    audios: tuple[Audio, ...], sample_rate: int, channel: Channel
) -> tuple[Audio, ...]:
    """Pass each of ``audios``, float32 ``[samples]``, through ``channel``; lengths are kept.

    A codec that refuses one of them (too quiet, too short) is left out for all.
    """
    audios = tuple(_before_codecs(audio, sample_rate, channel) for audio in audios)
    backend = PyAVBackend()
    for spec in channel.codecs:
        try:
            audios = tuple(
                np.clip(codec_roundtrip(audio, sample_rate, spec, backend), -1, 1)
                for audio in audios
            )
        except CodecError:
            continue
    return audios
