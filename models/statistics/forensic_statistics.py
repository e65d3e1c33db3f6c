"""Hand-made forensic statistics of a few seconds of music: what a neural decoder leaves behind.

Enters: mono float32 audio ``[samples]`` at 44.1 kHz, 3 to 4 s. Leaves: float32 ``[FEATURES]``, one
number a statistic, named in ``FEATURE_NAMES`` as ``group/band/statistic``. None of them is
a level, a bandwidth or a spectral envelope, which say where a file came from and not what made
it: the signal is brought to one loudness, cells are compared with their neighbours, and a band
that is empty, or in which the sound ends, is NaN in every statistic.

Sources: fine structure and its correlations after steganalysis' co-occurrences; the average
spectrum over its lower hull after Afchar et al. (arXiv 2506.19108), who derive the peaks of
transposed convolutions; cyclic energy after Gardner's cyclostationary analysis, as used against
image resampling by Gallagher (2005).
"""

import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from artifactnet.models.statistics.spectrum import (
    HULL_FFT,
    HULL_HOP,
    LONG_FFT,
    LONG_HOP,
    SAMPLE_RATE,
    SHORT_FFT,
    SHORT_HOP,
    Array,
    Spectrum,
    at_percentiles,
    band_bins,
    levelled,
    sounding_bins,
    transform,
    usable_bands,
)
from artifactnet.models.statistics.tonal_cells import (
    TONAL_EDGES,
    TONAL_STATISTICS,
    tonal_statistics,
)

SMOOTH_BINS, SMOOTH_FRAMES = 31, 9
"""Running means that the fine structure of the long transform is freed of, one after the other."""
SHORT_SMOOTH_BINS, SHORT_SMOOTH_FRAMES = 9, 33
FINE_LIMIT = 4.0
"""Fine structure is clipped here (nepers): a coder's hole is a hole, however deep."""

COARSE_EDGES = (200, 1000, 2200, 3800, 5600, 7400, 9800, 13_000, 16_200)
"""Hz; 8 bands."""
FINE_EDGES = (*range(200, 6600, 400), *range(6600, 16_201, 1200))
"""Hz; 24 bands."""
PERCENTILES = (5, 25, 50, 75, 95)

LAGS = tuple((df, dt) for df in range(4) for dt in range(5) if df or dt)
SHORT_LAGS = tuple((df, dt) for df in range(3) for dt in (0, 1, 2, 3, 4, 6, 8) if df or dt)
"""(bins, frames) between the cells that are correlated."""

LATTICE = tuple(
    sorted(
        {rate / 2**power for rate in (48_000, 44_100, 32_000) for power in range(2, 10)}
        | {50.0, 75.0, 80.0, 100.0, 150.0, 200.0}
    )
)
"""Hz: sample_rate / hop of usual decoders and of their stages, at 16 to 48 kHz."""
MIRRORS = tuple(rate for rate in LATTICE if 1900 < rate < 12_100)
"""Hz: where images of a stage's band are reflected, or by which they are shifted."""

AROUND = np.r_[-44:-4, 5:45]
"""Bins around a line of the cyclic spectrum that it is compared with."""

MODULATION_EDGES = (2, 4, 8, 16, 32, 64, 110, 172)
"""Hz of the envelopes' spectra."""
HULL_BINS = 21
POSITION_HZ = 125.0
POSITIONS = tuple(float(hz) for hz in np.arange(500, 16_000, POSITION_HZ))
HULL_RANKS = (50, 75, 90, 98, 100)


@lru_cache(maxsize=8)
def _hann(samples: int) -> Array:
    return np.hanning(samples).astype(np.float32)


def _fine_structure(spectrum: Spectrum, bins: int, frames: int) -> Array:
    """Log magnitude without its running means, ``[bins, frames - 2 * margin]``."""
    half = frames // 2
    log = spectrum.log_magnitude
    fine = log - uniform_filter1d(log, bins, axis=0, mode="nearest")
    fine -= uniform_filter1d(fine, frames, axis=1, mode="nearest")
    return np.clip(fine[:, half : log.shape[1] - half], -FINE_LIMIT, FINE_LIMIT)


def _masked(values: NDArray, usable: NDArray[np.bool_]) -> Array:
    """``values`` ``[bands, ...]`` with NaN in the unusable bands."""
    result = np.asarray(values, np.float32).copy()
    result[~usable] = np.nan
    return result


def _correlations(
    fine: Array, bands: list[slice], lags: tuple[tuple[int, int], ...], usable: NDArray[np.bool_]
) -> Array:
    """Normalised correlations ``[bands, lags]`` of cells that are a lag apart."""
    frames = fine.shape[1]
    energy = np.einsum("ft,ft->f", fine, fine) / frames
    starts = [band.start for band in bands] + [bands[-1].stop]
    result = np.empty((len(bands), len(lags)), np.float32)
    scale = np.add.reduceat(energy, starts)[:-1] + 1e-12
    for column, (df, dt) in enumerate(lags):
        product = np.einsum("ft,ft->f", fine[: len(fine) - df, : frames - dt], fine[df:, dt:]) / (
            frames - dt
        )
        result[:, column] = np.add.reduceat(product, starts)[:-1] / scale
    return _masked(result, usable)


def _distribution(fine: Array, bands: list[slice], usable: NDArray[np.bool_]) -> Array:
    """Percentiles, spread, skew and kurtosis ``[bands, 8]`` of the cells of each band."""
    result = np.full((len(bands), len(PERCENTILES) + 3), np.nan, np.float32)
    for row, band in enumerate(bands):
        if not usable[row]:
            continue
        cells = fine[band].ravel()
        spread = float(np.sqrt(np.dot(cells, cells) / len(cells))) + 1e-6
        # Neighbouring frames share three quarters of their samples: half of them will do.
        ordered = np.sort(fine[band, ::2], axis=None)
        ranks = [int(p / 100 * (len(ordered) - 1)) for p in PERCENTILES]
        result[row, : len(PERCENTILES)] = ordered[ranks] / spread
        cells *= np.float32(1 / spread)
        squared = cells * cells
        result[row, -3:] = (
            np.log(spread),
            float(np.dot(squared, cells)) / len(cells),
            float(np.dot(squared, squared)) / len(cells),
        )
    return result


def _phase(spectrum: Spectrum, bands: list[slice], usable: NDArray[np.bool_]) -> Array:
    """Coherences ``[bands, 6]`` of differences of the phase, over time and over frequency.

    In order: of second differences over time; the same between neighbouring bins; of second
    differences over frequency (group delay); the same between neighbouring frames; of mixed
    differences; the real part of the mixed ones.
    """
    result = np.full((len(bands), 6), np.nan, np.float32)
    for row, band in enumerate(bands):
        if not usable[row]:
            continue
        rows = slice(band.start, band.stop + 3)
        # The floor in the logarithm shortens the phasors of cells that hold nothing.
        unit = spectrum.cells[rows] * np.exp(-spectrum.log_magnitude[rows])
        conjugate = unit.conj()
        over_time = unit[:, 1:] * conjugate[:, :-1]
        over_bins = unit[1:] * conjugate[:-1]
        past = over_time.conj()
        second_time = over_time[:, 1:] * past[:, :-1]
        mixed = complex((over_time[1:] * past[:-1]).mean())
        second_bins = over_bins[1:] * over_bins[:-1].conj()
        result[row] = (
            abs(second_time.mean()),
            abs(np.vdot(second_time[:-1], second_time[1:])) / second_time[1:].size,
            abs(second_bins.mean()),
            abs(np.vdot(second_bins[:, :-1], second_bins[:, 1:])) / second_bins[:, 1:].size,
            abs(mixed),
            mixed.real,
        )
    return result


def _comodulation(fine: Array, bands: list[slice], usable: NDArray[np.bool_]) -> Array:
    """Correlation over time of the mean fine structure of bands 1, 2 and 3 apart."""
    starts = [band.start for band in bands] + [bands[-1].stop]
    course = np.add.reduceat(fine, starts, axis=0)[:-1]
    course = course - course.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.einsum("bt,bt->b", course, course)) + 1e-9
    matrix = (course @ course.T) / np.outer(norm, norm)
    matrix[~usable] = np.nan
    matrix[:, ~usable] = np.nan
    return np.concatenate([np.diagonal(matrix, apart) for apart in (1, 2, 3)]).astype(np.float32)


def _images(fine: Array, hz: float, sounding: NDArray[np.bool_]) -> Array:
    """Correlation ``[mirrors, 2]`` of the fine structure with its image: reflected, shifted."""
    result = np.full((len(MIRRORS), 2), np.nan, np.float32)
    limit = round(COARSE_EDGES[-1] / hz)
    for row, mirror in enumerate(MIRRORS):
        twice, reach = round(2 * mirror / hz), round(1500 / hz)
        # Ten bins around the mirror belong to both sides by the window alone.
        below = np.arange(twice // 2 - reach, twice // 2 - 10)
        pairs = ((below, twice - below), (below, below + twice // 2))
        for column, (left, right) in enumerate(pairs):
            keep = (left > 16) & (right < limit)
            left, right = left[keep], right[keep]
            keep = sounding[left] & sounding[right]
            if keep.sum() < 20:
                continue
            one, other = fine[left[keep]], fine[right[keep]]
            scale = np.sqrt(np.vdot(one, one) * np.vdot(other, other)) + 1e-9
            result[row, column] = np.vdot(one, other) / scale
    return result


def _hull(audio: Array) -> tuple[Array, Array, Array, Array]:
    """Of the average log spectrum over its lower hull: heights, spacings, combs, positions.

    Returns:
      Ranks of the heights ``[bands, 5]`` in dB; autocorrelation at the lattice's spacings up to
      1,600 Hz; mean height at the multiples of each spacing less that halfway between; largest
      height in each 125 Hz.
    """
    spectrum = transform(audio, HULL_FFT, HULL_HOP)
    hz = spectrum.hz
    average = spectrum.log_magnitude.mean(axis=1) * np.float32(20 / np.log(10))
    hull = uniform_filter1d(
        minimum_filter1d(average, HULL_BINS, mode="nearest"), HULL_BINS, mode="nearest"
    )
    height = np.clip(average - hull, 0, 30)
    sounding = sounding_bins(spectrum.power, hz)[: len(height)]
    bands = band_bins(COARSE_EDGES, hz)
    ranks = np.stack([at_percentiles(height[band], HULL_RANKS) for band in bands])
    heights = _masked(ranks, usable_bands(bands, sounding))

    limit = round(COARSE_EDGES[-1] / hz)
    heard = sounding.copy()
    heard[: round(500 / hz)] = False
    heard[limit:] = False
    last = int(heard.nonzero()[0].max(initial=0)) + 1
    curve = np.zeros(1, np.float32)
    if heard.any():
        low = np.minimum(height, 10)
        curve = np.where(heard, low - low[heard].mean(), 0)[:last].astype(np.float32)
    size = fft.next_fast_len(2 * max(len(curve), 1024), real=True)
    auto = fft.irfft(np.abs(fft.rfft(curve, size)) ** 2, size)
    auto = auto / (auto[0] + 1e-9)
    spacings = np.array([spacing / hz for spacing in LATTICE if spacing < 1600])
    low = spacings.astype(int)
    share = spacings - low
    autocorrelation = auto[low] * (1 - share) + auto[low + 1] * share

    combs = np.full(len(LATTICE), np.nan, np.float32)
    for row, spacing in enumerate(LATTICE):
        teeth = np.round(np.arange(1, COARSE_EDGES[-1] / spacing) * spacing / hz).astype(int)
        gaps = np.round((np.arange(1, COARSE_EDGES[-1] / spacing) - 0.5) * spacing / hz).astype(int)
        teeth, gaps = teeth[teeth < last - 1], gaps[gaps < last - 1]
        teeth, gaps = teeth[heard[teeth]], gaps[heard[gaps]]
        if len(teeth) and len(gaps):
            peak = np.maximum(np.maximum(curve[teeth - 1], curve[teeth]), curve[teeth + 1])
            rest = np.maximum(np.maximum(curve[gaps - 1], curve[gaps]), curve[gaps + 1])
            combs[row] = peak.mean() - rest.mean()

    width = POSITION_HZ / hz
    begins = np.round(np.array(POSITIONS) / hz).astype(int)
    ends = begins + round(width)
    largest = np.maximum.reduceat(height, np.append(begins, ends[-1]))[:-1]
    positions = _masked(largest, sounding[begins] & sounding[ends])
    return heights, autocorrelation.astype(np.float32), combs, positions


def _cyclic(audio: Array) -> Array:
    """Log ratio ``[lattice, 2]`` of cyclic energy at a frequency, and its double, to that around.

    The energy is that of the twice differenced signal, freed of its slow course, so that loud
    moments do not outweigh the rest.
    """
    first = audio[1:] - audio[:-1]
    energy = first[1:] - first[:-1]
    energy *= energy
    local = uniform_filter1d(energy, 2048, mode="nearest")
    local += np.float32(1e-6 * local.mean() + 1e-12)
    energy /= local
    np.minimum(energy, 20, out=energy)
    energy -= energy.mean()
    energy *= _hann(len(energy))
    size = fft.next_fast_len(len(energy), real=True)
    magnitude = np.abs(fft.rfft(energy, size)) + np.float32(1e-9)
    bins = np.round(np.outer(LATTICE, (1, 2)) * size / SAMPLE_RATE).astype(int)
    inside = bins + 45 < len(magnitude)
    centres = np.where(inside, bins, 100)[..., None]
    around = np.median(magnitude[centres + AROUND], axis=-1)
    peak = magnitude[centres + np.arange(-1, 2)].max(axis=-1)
    return np.where(inside, np.log(peak / around), np.nan).astype(np.float32)


def _modulation(spectrum: Spectrum, bands: list[slice], usable: NDArray[np.bool_]) -> Array:
    """Log share ``[bands, 7]`` of each modulation band in the spectrum of the log envelope."""
    starts = [band.start for band in bands] + [bands[-1].stop]
    envelope = np.add.reduceat(spectrum.log_magnitude, starts, axis=0)[:-1]
    envelope /= np.diff(starts)[:, None].astype(np.float32)
    envelope -= envelope.mean(axis=1, keepdims=True)
    power = np.abs(fft.rfft(envelope * _hann(envelope.shape[1]))) ** 2
    hz = SAMPLE_RATE / SHORT_HOP / envelope.shape[1]
    edges = [round(edge / hz) for edge in MODULATION_EDGES]
    bins = np.add.reduceat(power, edges, axis=1)[:, :-1] + 1e-9
    return _masked(np.log(bins / bins.sum(axis=1, keepdims=True)), usable)


def _names() -> tuple[str, ...]:
    coarse, fine = range(len(COARSE_EDGES) - 1), range(len(FINE_EDGES) - 1)
    names = [f"fine_correlation/b{b}/df{df}_dt{dt}" for b in coarse for df, dt in LAGS]
    names += [f"short_correlation/b{b}/df{df}_dt{dt}" for b in coarse for df, dt in SHORT_LAGS]
    statistics = (*(f"p{p}" for p in PERCENTILES), "spread", "skew", "kurtosis")
    names += [f"fine_distribution/b{b}/{one}" for b in fine for one in statistics]
    phases = ("time", "time_bins", "delay", "delay_frames", "mixed", "mixed_real")
    names += [f"phase/b{b}/{one}" for b in fine for one in phases]
    names += [f"comodulation/b{b}/b{b + apart}" for apart in (1, 2, 3) for b in fine[:-apart]]
    names += [f"image/{at:g}hz/{one}" for at in MIRRORS for one in ("mirrored", "shifted")]
    names += [f"hull/b{b}/p{p}" for b in coarse for p in HULL_RANKS]
    names += [f"hull_spacing/{one:g}hz/autocorrelation" for one in LATTICE if one < 1600]
    names += [f"hull_spacing/{spacing:g}hz/comb" for spacing in LATTICE]
    names += [f"hull_position/{hz:g}hz/largest" for hz in POSITIONS]
    names += [f"cyclic/{rate:g}hz/{one}" for rate in LATTICE for one in ("first", "second")]
    modulations = [f"{a}to{b}hz" for a, b in itertools.pairwise(MODULATION_EDGES)]
    names += [f"modulation/b{b}/{one}" for b in coarse for one in modulations]
    names += [f"tonal/b{b}/{one}" for b in range(len(TONAL_EDGES) - 1) for one in TONAL_STATISTICS]
    return tuple(names)


FEATURE_NAMES = _names()
FEATURES = len(FEATURE_NAMES)
GROUPS = tuple(dict.fromkeys(name.split("/")[0] for name in FEATURE_NAMES))
"""What the names begin with."""

VERSIONS = {"1": FEATURES - (len(TONAL_EDGES) - 1) * len(TONAL_STATISTICS), "2": FEATURES}
"""How many statistics, the first ones, a head of each version reads. A new version has more at the
end, or measures one otherwise: then the versions before it go."""

_GROUP_STARTS = [
    next(i for i, name in enumerate(FEATURE_NAMES) if name.startswith(f"{group}/"))
    for group in GROUPS
]


def group_sums(contributions: NDArray[np.float64]) -> Array:
    """Contributions added up by group.

    Args:
      contributions: ``[segments, statistics]``, of all or of the first ones.

    Returns:
      float32 ``[segments, GROUPS]``; zero for a group that is not there.
    """
    absent = FEATURES - contributions.shape[1]
    every = np.pad(contributions, ((0, 0), (0, absent)))
    return np.add.reduceat(every, _GROUP_STARTS, axis=1).astype(np.float32)


def forensic_statistics(audio: Array) -> Array:
    """All statistics of one window.

    Args:
      audio: mono float32 ``[samples]`` at 44.1 kHz; zeros that pad it are passed over.

    Returns:
      float32 ``[FEATURES]`` in the order of ``FEATURE_NAMES``; NaN where there is nothing
      to measure, everywhere in a window with less than a second of sound.
    """
    heard = levelled(audio)
    if heard is None:
        return np.full(FEATURES, np.nan, np.float32)
    long = transform(heard, LONG_FFT, LONG_HOP)
    short = transform(heard, SHORT_FFT, SHORT_HOP)
    sounding = sounding_bins(long.power, long.hz)
    coarse, fine_bands = band_bins(COARSE_EDGES, long.hz), band_bins(FINE_EDGES, long.hz)
    coarse_usable, fine_usable = usable_bands(coarse, sounding), usable_bands(fine_bands, sounding)
    short_bands = band_bins(COARSE_EDGES, short.hz)
    fine = _fine_structure(long, SMOOTH_BINS, SMOOTH_FRAMES)
    short_fine = _fine_structure(short, SHORT_SMOOTH_BINS, SHORT_SMOOTH_FRAMES)
    heights, autocorrelation, combs, positions = _hull(heard)
    parts = (
        _correlations(fine, coarse, LAGS, coarse_usable),
        _correlations(short_fine, short_bands, SHORT_LAGS, coarse_usable),
        _distribution(fine, fine_bands, fine_usable),
        _phase(long, fine_bands, fine_usable),
        _comodulation(fine, fine_bands, fine_usable),
        _images(fine, long.hz, sounding),
        heights,
        autocorrelation,
        combs,
        positions,
        _cyclic(heard),
        _modulation(short, short_bands, coarse_usable),
        tonal_statistics(long, sounding),
    )
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)
