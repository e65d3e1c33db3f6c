"""Codecs that are one strided matrix in and one out: decoders of any stride, for free.

Enters: mono float32 audio ``[samples]``. Leaves: the same length, analysed frame by frame,
quantised, and put together again by overlap-add. The analysis is a random mixture of
windowed cosines; the synthesis is learned from the piece itself by least squares, as a
neural decoder's last transposed convolution is learned, and leaves the same kind of trace:
spectral images at multiples of the frame rate (Afchar et al., arXiv 2506.19108).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LinearCodecConfig:
    """Shape of one codec.

    Attributes:
      hop_length: samples between frames.
      overlap: frame length in hops.
      kept: coefficients per hop, as a share of ``hop_length``.
      levels: values a coefficient takes, over plus and minus three deviations.
      ridge: regularisation of the synthesis, relative to the mean energy of a coefficient.
      seed: decides the analysis.
    """

    hop_length: int
    overlap: int = 2
    kept: float = 0.5
    levels: int = 33
    ridge: float = 1e-2
    seed: int = 0


MOST_COEFFICIENTS = 512


def draw_linear_codec(rng: np.random.Generator) -> LinearCodecConfig:
    """A codec with a stride of 16 to 2048 samples."""
    return LinearCodecConfig(
        hop_length=int(2 ** rng.uniform(4, 11)),
        overlap=int(rng.integers(1, 5)),
        kept=float(rng.uniform(0.3, 0.9)),
        levels=int(rng.choice([9, 33, 129, 1025])),
        ridge=float(10 ** rng.uniform(-3, -0.5)),
        seed=int(rng.integers(1 << 30)),
    )


def linear_codec(audio: NDArray[np.float32], config: LinearCodecConfig) -> NDArray[np.float32]:
    """Pass ``audio`` ``[samples]`` through the codec; float32 of the same length."""
    rng = np.random.default_rng(config.seed)
    hop, length = config.hop_length, config.hop_length * config.overlap
    padded = np.pad(audio.astype(np.float64), (length, 2 * length))
    starts = np.arange(0, len(padded) - length, hop)
    frames = padded[starts[:, None] + np.arange(length)]
    coefficients = min(max(4, int(config.kept * hop)), MOST_COEFFICIENTS)
    window = np.sin(np.pi * (np.arange(length) + 0.5) / length) if config.overlap > 1 else 1.0
    position = (np.arange(length)[:, None] + 0.5 + hop / 2) * (np.arange(coefficients) + 0.5)
    analysis = np.cos(np.pi / hop * position) * np.reshape(window, (-1, 1))
    analysis += 0.1 * rng.standard_normal(analysis.shape) / np.sqrt(length)
    codes = frames @ analysis
    step = 6 * codes.std(axis=0, keepdims=True) / config.levels + 1e-9
    codes = np.round(codes / step) * step
    overlapping = np.reshape(window, (-1,)) ** 2 if config.overlap > 1 else np.ones(length)
    target = frames * overlapping / (config.overlap / 2 if config.overlap > 1 else 1)
    gram = codes.T @ codes
    ridge = config.ridge * np.trace(gram) / coefficients + 1e-9
    synthesis = np.linalg.solve(gram + ridge * np.eye(coefficients), codes.T @ target)
    out = np.zeros_like(padded)
    pieces = codes @ synthesis
    for part in range(config.overlap):
        # Frames a whole length apart don't overlap and can be added in one go.
        rows = pieces[part :: config.overlap]
        begin = part * hop
        out[begin : begin + rows.size] += rows.ravel()[: len(out) - begin]
    return out[length : length + len(audio)].astype(np.float32)
