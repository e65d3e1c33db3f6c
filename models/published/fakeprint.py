"""Fakeprint: peaks of a track's mean spectrum over its lower hull, and a regression on them.

Enters: mono audio, float32 ``[samples]``. Leaves: P(AI). Afchar et al., "A Fourier Explanation of
AI-music Artifacts", arXiv 2506.19108, section 4: a decoder that climbs to the audio rate by
transposed convolutions leaves peaks at places that follow from its strides, whatever it plays. The
published variants differ in rate, STFT length and range, which are fields here.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import interpolate
from torch import nn

from artifactnet.models.published.bounds import check_bounds
from artifactnet.models.weights.safetensors_io import load_module, save_module

BLOCK_FRAMES = 256
"""Frames transformed at once, so that memory does not grow with the track."""


@dataclass(frozen=True)
class FakeprintConfig:
    """Where the peaks are looked for.

    Attributes:
      sample_rate: Hz of the audio.
      n_fft: STFT length in samples; a quarter of it lies between frames.
      f_min: Hz of the lowest bin.
      f_max: Hz of the highest bin, itself included.
      area: bins among which the hull takes the lowest.
      max_db: at which a peak is cut.
      min_db: below which the hull does not go.
    """

    sample_rate: int = 44_100
    n_fft: int = 16_384
    f_min: float = 5_000.0
    f_max: float = 16_000.0
    area: int = 10
    max_db: float = 5.0
    min_db: float = -45.0

    def __post_init__(self) -> None:
        """Check sizes, so that a crafted file can't exhaust memory.

        Raises:
          ValueError: naming the field.
        """
        bounds = {
            "sample_rate": (4000, 192_000), "n_fft": (64, 131_072), "f_min": (0, self.f_max),
            "f_max": (1, self.sample_rate / 2), "area": (2, 1000), "max_db": (0.1, 200),
            "min_db": (-200, 200),
        }  # fmt: skip
        check_bounds(self, bounds)
        if self.size < self.area:
            raise ValueError(f"{self.size} bins from f_min to f_max are fewer than area")

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which bins of the STFT are looked at."""
        hertz = np.linspace(0, self.sample_rate / 2, self.n_fft // 2 + 1)
        return (hertz >= self.f_min) & (hertz <= self.f_max)

    @property
    def size(self) -> int:
        """Numbers of a fakeprint."""
        return int(self.inside.sum())


def mean_spectrum(audio: NDArray[np.float32], n_fft: int) -> NDArray[np.float64]:
    """Mean over frames of the log power spectrum in dB, ``[n_fft // 2 + 1]``.

    Args:
      audio: mono float32 ``[samples]``; padded to one frame if shorter.
      n_fft: samples of a Hann-windowed frame; a quarter of it lies between frames.
    """
    padded = np.pad(audio, (0, max(0, n_fft - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[:: n_fft // 4]
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    total = np.zeros(n_fft // 2 + 1)
    for first in range(0, len(frames), BLOCK_FRAMES):
        power = np.abs(np.fft.rfft(frames[first : first + BLOCK_FRAMES] * window, axis=1)) ** 2
        total += (10 * np.log10(np.clip(power, 1e-10, 1e6))).sum(axis=0)
    return total / len(frames)


def lower_hull(spectrum: NDArray[np.float64], area: int) -> NDArray[np.float64]:
    """Curve ``[bins]`` through the lowest of every ``area`` neighbouring bins of ``spectrum``."""
    starts = len(spectrum) - area + 1
    lowest = np.lib.stride_tricks.sliding_window_view(spectrum, area).argmin(axis=1)
    places = np.unique(np.concatenate([[0], lowest + np.arange(starts), [len(spectrum) - 1]]))
    kind = "quadratic" if len(places) > 2 else "linear"
    curve = interpolate.interp1d(places, spectrum[places], kind=kind)
    return curve(np.arange(len(spectrum)))


def fakeprint(audio: NDArray[np.float32], config: FakeprintConfig) -> NDArray[np.float32]:
    """Peaks over the hull, float32 ``[config.size]``, the highest 1.

    Args:
      audio: mono float32 ``[samples]`` at ``config.sample_rate``.
      config: where peaks are looked for.
    """
    spectrum = mean_spectrum(audio, config.n_fft)[config.inside]
    hull = np.maximum(lower_hull(spectrum, config.area), config.min_db)
    peaks = np.clip(spectrum - hull, 0, config.max_db)
    return (peaks / (1e-6 + peaks.max())).astype(np.float32)


class FakeprintRegression(nn.Module):
    """A logistic regression on fakeprints.

    Args:
      config: of the fakeprints.
    """

    def __init__(self, config: FakeprintConfig) -> None:
        super().__init__()
        self.config = config
        self.linear = nn.Linear(config.size, 1)

    def logit(self, audio: NDArray[np.float32]) -> float:
        """Logit of mono ``audio`` ``[samples]`` at the configuration's rate."""
        with torch.inference_mode():
            return float(self.linear(torch.from_numpy(fakeprint(audio, self.config)))[0])


def save_fakeprint(model: FakeprintRegression, path: Path) -> None:
    """Write ``model`` to ``path``, a safetensors file."""
    save_module(model, asdict(model.config), path)


def load_fakeprint(path: Path) -> FakeprintRegression:
    """Read a file of ``save_fakeprint``.

    Raises:
      WeightsError: it can't be used.
    """
    return load_module(lambda stored: FakeprintRegression(FakeprintConfig(**stored)), path)[0]
