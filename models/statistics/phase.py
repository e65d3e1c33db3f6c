"""How the phase goes on from cell to cell, in weak cells and in strong ones.

Enters: the spectrum of a window and its fine structure. Leaves: float32 ``[bands, statistics]``,
coherences of second differences of the phase. Of a tone that sounds on, the second difference over
time is nothing; of an attack, the one over frequency. What a decoder draws is right in the strong
cells, which its loss heard, and less so in those between them: each level is averaged alone.

Sources: differences of phase over time and frequency as instantaneous frequency and group delay,
after the reassigned spectrogram (Auger and Flandrin, 1995).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.statistics.spectrum import Array, Spectrum

COHERENCES = ("time", "time_bins", "delay", "delay_frames", "mixed", "mixed_real")
"""Of all cells of a band."""
LEVELS = {"weak": (-np.inf, -0.35), "middle": (-0.35, 0.35), "strong": (0.35, np.inf)}
"""Nepers above the surroundings, which are what fine structure is measured from."""
DIFFERENCES = ("time", "delay", "mixed")
MEANS = tuple(
    f"{level}_{one}{suffix}" for level in LEVELS for one in DIFFERENCES for suffix in ("_real", "")
)
"""Of each level the mean phasor of each second difference: its real part, its length."""
ANGLES = (10, 25, 50)
"""Percentiles of the size of an angle."""
APART = ("weak", "strong")
"""Levels whose angles are ranked: the middle one is much like all cells."""
RANKS = tuple(f"{level}_{one}_p{p}" for level in APART for one in DIFFERENCES for p in ANGLES)
BY_LEVEL = MEANS + RANKS
LEAST_CELLS = 40
"""Of a level in a band, below which it has no statistics."""


class SecondDifferences(NamedTuple):
    """Phasors whose angles are second differences of the phase, of the bins of a band.

    Around a band lie one bin below and three above, so that every cell of it has neighbours.

    Attributes:
      time: ``[bins + 4, frames - 2]``, of frames 1 to frames - 1.
      delay: over frequency, ``[bins + 2, frames]``, of the band's bins and those right beside.
      mixed: ``[bins + 3, frames - 1]``, between a bin and the one above, a frame and the next.
    """

    time: NDArray[np.complex64]
    delay: NDArray[np.complex64]
    mixed: NDArray[np.complex64]


def second_differences(spectrum: Spectrum, band: slice) -> SecondDifferences:
    """Second differences around ``band``, a slice of bins."""
    rows = slice(band.start - 1, band.stop + 3)
    # The floor in the logarithm shortens the phasors of cells that hold nothing.
    unit = spectrum.cells[rows] * np.exp(-spectrum.log_magnitude[rows])
    conjugate = unit.conj()
    over_time = unit[:, 1:] * conjugate[:, :-1]
    over_bins = unit[1:] * conjugate[:-1]
    past = over_time.conj()
    return SecondDifferences(
        over_time[:, 1:] * past[:, :-1],
        over_bins[1:] * over_bins[:-1].conj(),
        over_time[1:] * past[:-1],
    )


def coherences(differences: SecondDifferences) -> Array:
    """What ``COHERENCES`` names, of all cells, ``[6]``.

    In order: of second differences over time; the same between neighbouring bins; of second
    differences over frequency (group delay); the same between neighbouring frames; of mixed
    differences; the real part of the mixed ones.
    """
    time, delay = differences.time[1:], differences.delay[1:]
    mixed = complex(differences.mixed[1:].mean())
    return np.array(
        (
            abs(time.mean()),
            abs(np.vdot(time[:-1], time[1:])) / time[1:].size,
            abs(delay.mean()),
            abs(np.vdot(delay[:, :-1], delay[:, 1:])) / delay[:, 1:].size,
            abs(mixed),
            mixed.real,
        ),
        np.float32,
    )


def by_level(differences: SecondDifferences, fine: Array) -> Array:
    """What ``BY_LEVEL`` names, ``[36]``; NaN for a level that too few cells have.

    Args:
      differences: around the band.
      fine: fine structure of its cells ``[bins, frames - 2 * margin]``, of the middle frames.
    """
    bins, frames = fine.shape
    first = (differences.delay.shape[1] - frames) // 2
    of_cells = [
        np.ascontiguousarray(phasors)
        for phasors in (
            differences.time[1 : 1 + bins, first - 1 : first - 1 + frames],
            differences.delay[:bins, first : first + frames],
            differences.mixed[1 : 1 + bins, first : first + frames],
        )
    ]
    inside = np.stack([(fine >= low) & (fine < high) for low, high in LEVELS.values()])
    return np.concatenate([_means(of_cells, inside), _ranks(of_cells, inside)])


def _means(of_cells: list[NDArray[np.complex64]], inside: NDArray[np.bool_]) -> Array:
    """What ``MEANS`` names, of phasors ``[bins, frames]``.

    ``inside`` ``[levels, bins, frames]`` tells which level a cell is of.
    """
    weights = inside.reshape(len(inside), -1).astype(np.float32)
    counts = weights.sum(axis=1, keepdims=True)
    columns = []
    for phasors in of_cells:
        # As a product of matrices of real numbers: ten times as fast as picking the cells out.
        mean = (weights @ phasors.view(np.float32).reshape(-1, 2)) / np.maximum(counts, 1)
        columns += [mean[:, 0], np.hypot(mean[:, 0], mean[:, 1])]
    result = np.stack(columns, axis=1)
    result[counts[:, 0] < LEAST_CELLS] = np.nan
    return result.ravel()


def _ranks(of_cells: list[NDArray[np.complex64]], inside: NDArray[np.bool_]) -> Array:
    """What ``RANKS`` names."""
    result = np.full((len(APART), len(of_cells), len(ANGLES)), np.nan, np.float32)
    for row, level in enumerate(APART):
        # Neighbouring frames share three quarters of their samples: half of them will do.
        chosen = inside[list(LEVELS).index(level), :, ::2]
        count = int(chosen.sum())
        if count < LEAST_CELLS:
            continue
        ranks = [count * p // 100 for p in ANGLES]
        for column, phasors in enumerate(of_cells):
            some = phasors[:, ::2][chosen]
            # The larger the cosine, the smaller the angle: only those of a rank are worked out.
            at = np.argpartition(-some.real, ranks)[ranks]
            result[row, column] = np.abs(np.angle(some[at]))
    return result.ravel()


def phase_statistics(
    spectrum: Spectrum, fine: Array, bands: list[slice], usable: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """``COHERENCES`` ``[bands, 6]`` and ``BY_LEVEL`` ``[bands, 36]``; NaN in unusable bands.

    Args:
      spectrum: of the window.
      fine: its fine structure, ``[all bins, frames - 2 * margin]``.
      bands: slices of bins.
      usable: of each band, whether it holds sound.
    """
    of_all = np.full((len(bands), len(COHERENCES)), np.nan, np.float32)
    of_levels = np.full((len(bands), len(BY_LEVEL)), np.nan, np.float32)
    for row in np.flatnonzero(usable):
        differences = second_differences(spectrum, bands[row])
        of_all[row] = coherences(differences)
        of_levels[row] = by_level(differences, fine[bands[row]])
    return of_all, of_levels
