"""What a crop goes through before its statistics are taken, drawn alike for either class.

Enters: samples of a file at its own rate. Leaves: mono float32 ``[samples]`` at 44.1 kHz. Most
crops are first coded once at 44.1 or 48 kHz, whatever their file's rate: the lattice of a
generator that writes 48 kHz MP3 is else learnt in place of its traces.
"""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from artifactnet.pipeline.training.augmentations import before_codecs, draw_augmentation
from artifactnet.pipeline.training.degradations import degrade
from artifactnet.transforms.audio.codec_spec import CodecSpec
from artifactnet.transforms.audio.lossy_codec import CodecBackend, PyAVBackend, codec_roundtrip
from artifactnet.transforms.audio.windows import mono_window
from artifactnet.transforms.elements.errors import CodecError

Audio = NDArray[np.float32]
SAMPLE_RATE = 44_100

FIRST_RATES = (44_100, 48_000)
FIRST_CODECS = {
    "resampled": (0.2, (0,)),
    "mp3": (0.4, (96_000, 128_000, 160_000, 192_000, 256_000, 320_000)),
    "aac": (0.14, (96_000, 128_000, 192_000, 256_000)),
    "opus": (0.12, (64_000, 96_000, 128_000, 160_000)),
    "vorbis": (0.14, (96_000, 128_000, 192_000)),
}
"""Probability and bit rates of the first coding."""
DEGRADED = 0.15
"""Share of the crops that are degraded as old samplers and cheap tools do."""
AS_IS, FIRST_ONLY = 0.05, 0.3
FAST = 0.8
"""Share of the crops that are coded by the encoders' fastest settings."""


FASTEST = {
    "mp3": {"compression_level": "9"},
    "aac": {"aac_coder": "fast"},
    "opus": {"compression_level": "2"},
}
"""Encoder options that cost least: three times as fast, a bit stream that real encoders write."""


@dataclass(frozen=True)
class Chain:
    """What was drawn: seed of all that follows, and whether each step is taken."""

    first: bool
    rest: bool
    degraded: bool
    first_rate: int
    first_codec: CodecSpec


def draw(rng: np.random.Generator) -> Chain:
    """Draw a chain."""
    kind = rng.random()
    name = str(rng.choice(list(FIRST_CODECS), p=[share for share, _ in FIRST_CODECS.values()]))
    bitrate = int(rng.choice(FIRST_CODECS[name][1]))
    return Chain(
        first=bool(kind >= AS_IS),
        rest=bool(kind >= AS_IS + FIRST_ONLY),
        degraded=bool(rng.random() < DEGRADED and kind >= AS_IS),
        first_rate=int(rng.choice(FIRST_RATES)),
        first_codec=CodecSpec("wav" if name == "resampled" else name, bitrate),
    )


def _coded(audio: Audio, rate: int, spec: CodecSpec, backend: CodecBackend) -> Audio:
    """``audio`` through ``spec``; as it is where the codec refuses it (too quiet, too short)."""
    try:
        return np.clip(codec_roundtrip(audio, rate, spec, backend), -1, 1)
    except CodecError:
        return audio


def pass_through(
    samples: NDArray[np.float32], rate: int, chain: Chain, rng: np.random.Generator
) -> tuple[Audio, str]:
    """``samples`` ``[frames, channels]`` at ``rate`` Hz after ``chain``, and its description."""
    if not chain.first:
        length = int(len(samples) * SAMPLE_RATE / rate)
        return mono_window(samples, rate, SAMPLE_RATE, length), "as-is"
    done = []
    length = int(len(samples) * chain.first_rate / rate)
    audio = mono_window(samples, rate, chain.first_rate, length)
    if chain.degraded:
        audio = np.clip(degrade(audio, chain.first_rate, rng), -1, 1)
        done.append("degraded")
    backend = PyAVBackend(FASTEST if rng.random() < FAST else None)
    audio = _coded(audio, chain.first_rate, chain.first_codec, backend)
    done.append(f"{chain.first_codec}@{chain.first_rate}")
    if chain.first_rate != SAMPLE_RATE:
        audio = soxr.resample(audio, chain.first_rate, SAMPLE_RATE)
    if chain.rest:
        rest = draw_augmentation(rng)
        audio = before_codecs(audio, SAMPLE_RATE, rest)
        for spec in rest.codecs:
            audio = _coded(audio, SAMPLE_RATE, spec, backend)
        done.append(f"rate {rest.rate} low-pass {rest.low_pass:.0f} peak {rest.peak:.3f}")
        done += [str(spec) for spec in rest.codecs]
    return np.asarray(audio, np.float32), ", ".join(done)
