"""Statistics of the cells that partials sound in, and of the valleys between them.

Enters: the long spectrum of a window. Leaves: float32 ``[bands, statistics]``. A partial that an
instrument plays goes on from frame to frame as it must; one that a decoder has drawn trembles in
phase, place and level. Between partials lies noise, or what a decoder fills in.

Sources: tonal cells by local maxima and a parabola through them, as in sinusoidal modelling (Serra
and Smith, 1990); frequency by the phase's step after the phase vocoder (Flanagan and Golden, 1966).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.statistics.spectrum import (
    LONG_FFT,
    LONG_HOP,
    Array,
    Spectrum,
    at_percentiles,
    band_bins,
    usable_bands,
)

TONAL_EDGES = (200, 500, 900, 1400, 2000, 2800, 3800, 5000, 6400, 8000, 10_000, 13_000, 16_200)
"""Hz; 12 bands."""
LEAST_CELLS = 30
"""Of a kind in a band, below which it has no statistics."""
PROMINENCE = 1.5
"""Nepers by which a tonal cell is above the mean of those four to six bins away."""
MARGIN = 6
"""Bins at either end in which nothing is looked for: some of what is compared lies outside."""
QUARTILES = (25, 50, 75)
DEPTHS = (10, 50, 90)
MEASURES = ("height", "width", "phase", "place", "delay", "level")
TONAL_STATISTICS = (
    "share",
    *(f"{one}_p{p}" for one in MEASURES for p in QUARTILES),
    "valleys",
    *(f"depth_p{p}" for p in DEPTHS),
    "valley_width",
)


def _beside(log: Array, bins: int) -> Array:
    """``log`` ``[bins - 2 * MARGIN, frames - 2]``, so many bins above the inner cells."""
    return log[MARGIN + bins : len(log) - MARGIN + bins, 1:-1]


def _local_extremes(
    log: Array, sounding: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which inner cells are tonal, and which lie in a valley."""
    inner = _beside(log, 0)
    heard = sounding[: len(log)][MARGIN:-MARGIN, None]
    around = _beside(log, -6) + _beside(log, 6)
    for bins in (-5, -4, 4, 5):
        around += _beside(log, bins)
    around *= np.float32(1 / 6)
    around += np.float32(PROMINENCE)
    either = np.maximum(_beside(log, -1), _beside(log, 1))
    np.maximum(around, either, out=around)
    np.maximum(around, _beside(log, -2), out=around)
    np.maximum(around, _beside(log, 2), out=around)
    peaks = (inner > around) & heard
    np.minimum(_beside(log, -1), _beside(log, 1), out=either)
    return peaks, (inner < either) & heard


class _At(NamedTuple):
    """Cells at some bins and frames, bin by bin, and those around them."""

    values: NDArray
    """Of all cells, flat."""
    places: NDArray[np.intp]
    a_bin: int
    """Places from a cell to that one bin above."""
    a_frame: int

    def __call__(self, bins: int = 0, frames: int = 0) -> NDArray:
        """The cells so many bins above and frames later."""
        return self.values.take(self.places + (bins * self.a_bin + frames * self.a_frame))


def _of_peaks(spectrum: Spectrum, k: NDArray[np.intp], t: NDArray[np.intp]) -> list[NDArray]:
    """What ``MEASURES`` names, of the cells at bins ``k`` and frames ``t``."""
    log, frame_by_frame = spectrum.log_magnitude, np.ascontiguousarray(spectrum.cells.T)
    frames, bins = log.shape[1], frame_by_frame.shape[1]
    level = _At(log.ravel(), k * frames + t, frames, 1)
    cell = _At(frame_by_frame.ravel(), t * bins + k, 1, bins)
    below, top, above = level(-1), level(), level(1)
    offset = np.clip(0.5 * (below - above) / (below - 2 * top + above - 1e-9), -0.5, 0.5)
    here, under, over = cell(), cell(-1), cell(1)
    back = here.conj()
    step = here * cell(0, -1).conj()
    expected = np.exp(-2j * np.pi * LONG_HOP / LONG_FFT * np.arange(len(log))).astype(np.complex64)
    by_phase = np.angle(step * expected[k]) * np.float32(LONG_FFT / (2 * np.pi * LONG_HOP))
    delay = np.angle(-over * back)
    return [
        top - 0.5 * (below + above),
        top - 0.5 * (level(-2) + level(2)),
        np.abs(np.angle(cell(0, 1) * back * step.conj())),
        np.abs(by_phase - offset),
        np.abs(np.angle(-here * under.conj()) - delay),
        np.abs(top - 0.5 * (level(0, -1) + level(0, 1))),
    ]


def tonal_statistics(spectrum: Spectrum, sounding: NDArray[np.bool_]) -> Array:
    """Statistics ``[bands, 24]`` of local maxima and minima over frequency.

    Of tonal cells: log share of all cells; quartiles of the height over the bins one and two away;
    of the second difference of the phase over time; of the distance between the frequency by phase
    and by the parabola through the maximum; of the change of the phase step from bin to bin; of
    the second difference of the level. Of minima: share, depth (10, 50, 90 %), median width.

    Args:
      spectrum: of the long transform.
      sounding: of each bin, whether it holds sound.

    Returns:
      float32 ``[len(TONAL_EDGES) - 1, len(TONAL_STATISTICS)]``; NaN where there is too little.
    """
    log = spectrum.log_magnitude
    result = np.full((len(TONAL_EDGES) - 1, len(TONAL_STATISTICS)), np.nan, np.float32)
    peaks, valleys = _local_extremes(log, sounding)
    k, t = peaks.nonzero()
    k += MARGIN
    measured = _of_peaks(spectrum, k, t + 1)
    inner = _beside(log, 0)
    mean = _beside(log, -4) + _beside(log, 4)
    for bins in (-3, -2, -1, 0, 1, 2, 3):
        mean += _beside(log, bins)
    # Cells come bin by bin: those of a band are a slice that begins behind all below it.
    before = np.concatenate([np.zeros(MARGIN, np.intp), valleys.sum(axis=1).cumsum()])
    depth = (inner - mean * np.float32(1 / 9))[valleys]
    width = (inner - 0.5 * (_beside(log, -2) + _beside(log, 2)))[valleys]
    bands = band_bins(TONAL_EDGES, spectrum.hz)
    for row in np.flatnonzero(usable_bands(bands, sounding)):
        band = bands[row]
        cells = (band.stop - band.start) * (log.shape[1] - 2)
        inside = slice(*np.searchsorted(k, (band.start, band.stop)))
        count = inside.stop - inside.start
        result[row, 0] = np.log(count / cells + 1e-5)
        if count >= LEAST_CELLS:
            result[row, 1:19] = np.concatenate(
                [at_percentiles(one[inside], QUARTILES) for one in measured]
            )
        inside = slice(before[band.start - 1], before[band.stop - 1])
        count = inside.stop - inside.start
        if count >= LEAST_CELLS:
            result[row, 19] = count / cells
            result[row, 20:23] = at_percentiles(depth[inside], DEPTHS)
            result[row, 23] = np.median(width[inside])
    return result
