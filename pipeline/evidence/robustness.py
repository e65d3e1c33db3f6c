"""Whether a score survives what happens to music on its way: codecs, level, rates, a trimmed start.

Enters: windows of a track and a function that scores them. Leaves: the score after each change.
"""

from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from artifactnet.pipeline.evidence.occlusion import Logits
from artifactnet.transforms.audio.codec_spec import parse_codec
from artifactnet.transforms.audio.decoder.pool import decoder_pool
from artifactnet.transforms.elements.errors import AuditError

CODECS = (
    ("MP3, 128 kbit/s", "mp3:128k"),
    ("AAC, 128 kbit/s", "aac:128k"),
    ("Opus, 96 kbit/s", "opus:96k"),
)
SECONDS = 30.0
"""That the windows of one track may spend in a codec."""
GAIN = 10 ** (-6 / 20)
OTHER_RATE = 48_000
TRIMMED_SECONDS = 0.37
"""Cut off the start of every window: no multiple of any decoder's frame."""


class Variant(NamedTuple):
    """Logits ``[windows]`` after a change; ``None`` where it can't be made here."""

    name: str
    logits: NDArray[np.float64] | None


def _resampled(windows: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    there = [soxr.resample(window, sample_rate, OTHER_RATE) for window in windows]
    back = [soxr.resample(window, OTHER_RATE, sample_rate)[: windows.shape[1]] for window in there]
    result = np.zeros_like(windows)
    for row, window in zip(result, back, strict=True):
        row[: len(window)] = window
    return result


def _trimmed(windows: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    cut = round(TRIMMED_SECONDS * sample_rate)
    result = np.zeros_like(windows)
    result[:, : windows.shape[1] - cut] = windows[:, cut:]
    return result


def variants(windows: NDArray[np.float32], sample_rate: int, logits: Logits) -> tuple[Variant, ...]:
    """Scores of ``windows`` ``[windows, samples]`` after each change."""
    found = []
    for name, codec in CODECS:
        try:
            coded = decoder_pool().reencode(windows, sample_rate, parse_codec(codec), SECONDS)
            found.append(Variant(name, logits(coded)))
        except AuditError:
            found.append(Variant(name, None))
    changed = (
        ("6 dB quieter", windows * np.float32(GAIN)),
        (f"resampled to {OTHER_RATE // 1000} kHz and back", _resampled(windows, sample_rate)),
        (f"start trimmed by {TRIMMED_SECONDS:g} s", _trimmed(windows, sample_rate)),
    )
    return (*found, *(Variant(name, logits(audio)) for name, audio in changed))
