import numpy as np
import pytest

from artifactnet.models.statistics.forensic_statistics import (
    LONG_FFT,
    LONG_HOP,
    SAMPLE_RATE,
    levelled,
    sounding_bins,
    transform,
)
from artifactnet.pipeline.experiments.tonal_statistics import (
    COUNT,
    of_spectrum,
    tonal_statistics,
)

TIME = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=len(TIME)).astype(np.float32)


def tones(jitter: float = 0.0) -> np.ndarray:
    """Partials of 233 Hz over faint noise; their phases wander by ``jitter`` a sample."""
    wander = np.cumsum(RNG.normal(0, jitter, len(TIME)))
    sound = sum(np.sin(2 * np.pi * 233.3 * n * TIME + wander) / n for n in range(1, 40))
    return (sound + 1e-4 * NOISE).astype(np.float32)


def of_band(audio: np.ndarray, band: int = 3) -> np.ndarray:
    heard = levelled(audio)
    assert heard is not None
    spectrum = transform(heard, LONG_FFT, LONG_HOP)
    return of_spectrum(spectrum, sounding_bins(spectrum.power, spectrum.hz))[band]


def test_one_number_a_statistic() -> None:
    assert tonal_statistics(NOISE).shape == (COUNT,)
    assert np.isfinite(tonal_statistics(tones())).mean() > 0.7


@pytest.mark.parametrize("audio", [np.zeros(SAMPLE_RATE * 4), NOISE[: SAMPLE_RATE // 2]])
def test_nothing_is_measured_where_nothing_sounds(audio: np.ndarray) -> None:
    assert np.isnan(tonal_statistics(audio.astype(np.float32))).all()


def test_steady_partials_go_on_as_they_must() -> None:
    steady, wandering = of_band(tones()), of_band(tones(0.03))
    median_of_phase, median_of_frequency, median_of_level = 8, 11, 17
    for statistic in (median_of_phase, median_of_frequency, median_of_level):
        assert steady[statistic] < 0.02
        assert wandering[statistic] > 3 * steady[statistic]


def test_noise_has_hardly_any_tonal_cells() -> None:
    share_of_cells = 0
    assert of_band(NOISE)[share_of_cells] < of_band(tones())[share_of_cells] - 2


def test_levels_do_not_matter() -> None:
    np.testing.assert_allclose(tonal_statistics(NOISE), tonal_statistics(NOISE / 8), atol=1e-3)
