import numpy as np
import pytest

from artifactnet.models.statistics.forensic_statistics import FINE_EDGES, fine_structure
from artifactnet.models.statistics.phase import (
    ANGLES,
    APART,
    BY_LEVEL,
    COHERENCES,
    LEAST_CELLS,
    LEVELS,
    MEANS,
    by_level,
    phase_statistics,
    second_differences,
)
from artifactnet.models.statistics.spectrum import (
    LONG_FFT,
    LONG_HOP,
    SAMPLE_RATE,
    Spectrum,
    band_bins,
    levelled,
    sounding_bins,
    transform,
    usable_bands,
)

TIME = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
NOISE = np.random.default_rng(0).normal(size=len(TIME)).astype(np.float32)
TONES = sum(np.sin(2 * np.pi * 233.3 * n * TIME) for n in range(1, 40)) + 1e-4 * NOISE


def prepared(audio: np.ndarray) -> tuple[Spectrum, np.ndarray, list[slice], np.ndarray]:
    heard = levelled(audio.astype(np.float32))
    assert heard is not None
    spectrum = transform(heard, LONG_FFT, LONG_HOP)
    bands = band_bins(FINE_EDGES, spectrum.hz)
    usable = usable_bands(bands, sounding_bins(spectrum.power, spectrum.hz))
    return spectrum, fine_structure(spectrum), bands, usable


def of_band(audio: np.ndarray, band: int = 6) -> dict[str, float]:
    of_all, of_levels = phase_statistics(*prepared(audio))
    found = dict(zip(COHERENCES, of_all[band], strict=True))
    return found | dict(zip(BY_LEVEL, of_levels[band], strict=True))


def test_a_steady_tone_goes_on_in_its_strong_cells() -> None:
    tones, noise = of_band(TONES), of_band(NOISE)
    assert tones["strong_time_real"] > 0.9
    assert tones["strong_time_real"] > tones["weak_time_real"] + 0.3
    assert noise["strong_time_real"] < 0.8


def test_clicks_are_coherent_over_frequency() -> None:
    clicks = 1e-3 * NOISE
    clicks[:: SAMPLE_RATE // 10] += 1
    found, noise = of_band(clicks), of_band(NOISE)
    assert found["middle_delay"] > noise["middle_delay"] + 0.1


def test_each_level_is_the_mean_of_its_cells() -> None:
    spectrum, fine, bands, _ = prepared(NOISE + 0.1 * TONES)
    unit = spectrum.cells * np.exp(-spectrum.log_magnitude)
    band, margin = bands[4], (unit.shape[1] - fine.shape[1]) // 2
    found = by_level(second_differences(spectrum, band), fine[band])
    means = found[: len(MEANS)].reshape(len(LEVELS), 3, 2)
    ranks = found[len(MEANS) :].reshape(len(APART), 3, len(ANGLES))
    wanted = np.zeros((len(LEVELS), 3), complex)
    counts = np.zeros(len(LEVELS))
    angles: dict[int, list[np.ndarray]] = {0: [], 1: [], 2: []}
    for k in range(band.start, band.stop):
        for t in range(fine.shape[1]):
            level = int(np.digitize(fine[k, t], (-0.35, 0.35)))
            at = t + margin
            step = unit[k, at] * unit[k, at - 1].conj()
            time = unit[k, at + 1] * unit[k, at].conj() * step.conj()
            up = unit[k + 1, at] * unit[k, at].conj()
            delay = up * (unit[k, at] * unit[k - 1, at].conj()).conj()
            mixed = unit[k + 1, at + 1] * unit[k + 1, at].conj()
            mixed *= (unit[k, at + 1] * unit[k, at].conj()).conj()
            wanted[level] += (time, delay, mixed)
            counts[level] += 1
            if t % 2 == 0:
                angles[level].append(abs(np.angle((time, delay, mixed))))
    wanted /= counts[:, None]
    assert counts.min() > LEAST_CELLS
    np.testing.assert_allclose(means[..., 0], wanted.real, atol=1e-4)
    np.testing.assert_allclose(means[..., 1], abs(wanted), atol=1e-4)
    for row, level in enumerate((0, 2)):
        ordered = np.sort(np.array(angles[level]), axis=0)
        at = [len(ordered) * p // 100 for p in ANGLES]
        np.testing.assert_allclose(ranks[row], ordered[at].T, atol=1e-3)


def test_an_empty_band_has_none_and_a_rare_level_neither() -> None:
    cut = np.fft.rfft(NOISE)
    cut[int(7000 / 22_050 * len(cut)) :] = 0
    of_all, of_levels = phase_statistics(*prepared(np.fft.irfft(cut)))
    assert np.isnan(of_all[-1]).all()
    assert np.isnan(of_levels[-1]).all()
    assert np.isfinite(of_levels[2]).all()
    spectrum, fine, bands, _ = prepared(NOISE)
    flat = by_level(second_differences(spectrum, bands[0]), np.zeros_like(fine[bands[0]]))
    middle = ["middle" in name for name in BY_LEVEL]
    np.testing.assert_array_equal(np.isfinite(flat), middle)


@pytest.mark.parametrize("gain", [0.125, 0.9])
def test_levels_do_not_matter(gain: float) -> None:
    one, other = phase_statistics(*prepared(NOISE)), phase_statistics(*prepared(gain * NOISE))
    np.testing.assert_allclose(one[1], other[1], atol=1e-3)
