"""What a track's sound is like, beside what made it: what could explain a score innocently.

Enters: windows as they are decoded, before and after the downmix. Leaves: ``SoundFacts``, the
median of each over the windows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BANDWIDTH_FFT = 4096
BANDWIDTH_DB = 75.0
"""Below the strongest; deeper there is a coder's rest, or rounding."""
AT_PEAK = 0.99
"""Of a channel's peak, from which a sample counts as clipped or limited."""
SILENT_DB = -120.0


class SoundFacts(NamedTuple):
    """Of a window, or the median over a track's.

    Attributes:
      bandwidth_hz: up to where there is sound.
      level_db: RMS of the downmix, dB below full scale.
      crest_db: peak of the downmix over its RMS; low where a limiter was at work.
      at_peak: share of samples within 1 % of their channel's peak; high where sound is clipped.
      channel_correlation: of the first two channels, -1 in antiphase, 1 for mono in two channels;
        NaN for one channel.
    """

    bandwidth_hz: float = 0.0
    level_db: float = SILENT_DB
    crest_db: float = 0.0
    at_peak: float = 0.0
    channel_correlation: float = float("nan")


def bandwidth_hz(window: NDArray[np.float32], sample_rate: int) -> float:
    """Up to where ``window`` ``[samples]`` holds sound, in Hz."""
    frames = len(window) // BANDWIDTH_FFT
    if not frames:
        return 0.0
    blocks = window[: frames * BANDWIDTH_FFT].reshape(frames, BANDWIDTH_FFT)
    spectra = np.abs(np.fft.rfft(blocks * np.hanning(BANDWIDTH_FFT).astype(np.float32)))
    power = np.square(spectra).mean(axis=0)
    sounding = np.flatnonzero(power > power.max() * 10 ** (-BANDWIDTH_DB / 10))
    return float(sounding.max() * sample_rate / BANDWIDTH_FFT) if len(sounding) else 0.0


def channel_correlation(samples: NDArray[np.float32]) -> float:
    """Correlation of the first two channels of ``[frames, channels]``; NaN where one is silent."""
    if samples.shape[1] < 2:
        return float("nan")
    left, right = samples[:, 0], samples[:, 1]
    scale = float(np.sqrt(np.dot(left, left) * np.dot(right, right)))
    return float(np.dot(left, right)) / scale if scale > 0 else float("nan")


def sound_facts(
    samples: NDArray[np.float32], window: NDArray[np.float32], sample_rate: int
) -> SoundFacts:
    """Facts of one window.

    Args:
      samples: float32 ``[frames, channels]`` as they were decoded.
      window: their downmix, ``[samples]`` at ``sample_rate`` Hz.
      sample_rate: of ``window``.
    """
    rms = float(np.sqrt(np.square(window, dtype=np.float64).mean()))
    peak = float(np.abs(window).max(initial=0.0))
    size = np.abs(samples)
    peaks = size.max(axis=0, initial=0.0)
    heard = peaks > 0
    at_peak = (size[:, heard] >= AT_PEAK * peaks[heard]).mean() if heard.any() else 0.0
    return SoundFacts(
        bandwidth_hz=bandwidth_hz(window, sample_rate),
        level_db=20 * float(np.log10(max(rms, 10 ** (SILENT_DB / 20)))),
        crest_db=20 * float(np.log10(peak / rms)) if rms > 0 else 0.0,
        at_peak=float(at_peak),
        channel_correlation=channel_correlation(samples),
    )


def median_facts(facts: Sequence[SoundFacts]) -> SoundFacts:
    """The median of each fact; of a correlation over the windows that have one."""
    if not facts:
        return SoundFacts()
    table = np.array(facts, np.float64)
    known = [column[np.isfinite(column)] for column in table.T]
    return SoundFacts(*(float(np.median(one)) if len(one) else float("nan") for one in known))
