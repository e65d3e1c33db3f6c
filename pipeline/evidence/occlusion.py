"""Where in the spectrum a score comes from: what it loses when a band is silenced.

Enters: windows and a function that scores them. Leaves: logits by band. Gradients of these
detectors are noise; taking a band away and scoring what is left is not (Zeiler and Fergus 2014,
section 4.2, for images).
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.statistics.forensic_statistics import COARSE_EDGES

Logits = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Logits ``[windows]`` of windows ``[windows, samples]``."""

BANDS = tuple(itertools.pairwise(COARSE_EDGES))
"""Hz, low and high edge: those of the forensic statistics."""
EDGE_HZ = 40.0
"""Over which a band fades out and in, so that silencing it adds no click."""


class BandLogit(NamedTuple):
    """What a band adds to a score: the logit with it less the logit without it."""

    low_hz: float
    high_hz: float
    logit: float


def without_band(
    windows: NDArray[np.float32], sample_rate: int, low_hz: float, high_hz: float
) -> NDArray[np.float32]:
    """``windows`` ``[windows, samples]`` with silence between two frequencies."""
    samples = windows.shape[-1]
    spectrum = np.fft.rfft(windows)
    hz = np.fft.rfftfreq(samples, 1 / sample_rate)
    inside = np.clip(np.minimum(hz - low_hz, high_hz - hz) / EDGE_HZ + 0.5, 0, 1)
    kept = 0.5 * (1 + np.cos(np.pi * inside))
    return np.fft.irfft(spectrum * kept, samples).astype(np.float32)


def occlusion(
    windows: NDArray[np.float32], sample_rate: int, logits: Logits, full: float
) -> tuple[BandLogit, ...]:
    """What each of ``BANDS`` adds to the mean logit of ``windows``.

    Args:
      windows: float32 ``[windows, samples]``.
      sample_rate: Hz.
      logits: the detector.
      full: mean logit of ``windows`` as they are.
    """

    def lost(low: float, high: float) -> float:
        return full - float(logits(without_band(windows, sample_rate, low, high)).mean())

    return tuple(BandLogit(low, high, lost(low, high)) for low, high in BANDS)
