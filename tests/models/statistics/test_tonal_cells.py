import numpy as np
import pytest

from artifactnet.models.statistics.forensic_statistics import FEATURE_NAMES, forensic_statistics
from artifactnet.models.statistics.spectrum import (
    LONG_FFT,
    LONG_HOP,
    SAMPLE_RATE,
    levelled,
    sounding_bins,
    transform,
)
from artifactnet.models.statistics.tonal_cells import (
    TONAL_EDGES,
    TONAL_STATISTICS,
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


def measured(audio: np.ndarray) -> np.ndarray:
    heard = levelled(audio)
    assert heard is not None
    spectrum = transform(heard, LONG_FFT, LONG_HOP)
    return tonal_statistics(spectrum, sounding_bins(spectrum.power, spectrum.hz))


def of_band(audio: np.ndarray, band: int = 3) -> dict[str, float]:
    return dict(zip(TONAL_STATISTICS, measured(audio)[band], strict=True))


def test_one_number_a_statistic() -> None:
    assert measured(NOISE).shape == (len(TONAL_EDGES) - 1, len(TONAL_STATISTICS))
    assert np.isfinite(measured(tones())).mean() > 0.7


def test_they_are_the_last_of_all_statistics() -> None:
    names = [f"tonal/b{b}/{one}" for b in range(len(TONAL_EDGES) - 1) for one in TONAL_STATISTICS]
    assert list(FEATURE_NAMES[-len(names) :]) == names
    found = forensic_statistics(tones(0.01))[-len(names) :]
    assert np.isfinite(found).any()


def test_steady_partials_go_on_as_they_must() -> None:
    steady, wandering = of_band(tones()), of_band(tones(0.03))
    for statistic in ("phase_p50", "place_p50", "level_p50"):
        assert steady[statistic] < 0.02
        assert wandering[statistic] > 3 * steady[statistic]


def test_noise_has_hardly_any_tonal_cells() -> None:
    assert of_band(NOISE)["share"] < of_band(tones())["share"] - 2


def test_an_empty_band_has_none() -> None:
    spectrum = np.fft.rfft(tones(0.01))
    spectrum[int(7000 / 22_050 * len(spectrum)) :] = 0
    low = measured(np.fft.irfft(spectrum).astype(np.float32))
    assert np.isnan(low[-2:]).all()
    assert np.isfinite(low[2]).all()


@pytest.mark.parametrize("gain", [0.125, 0.9])
def test_levels_do_not_matter(gain: float) -> None:
    np.testing.assert_allclose(measured(NOISE), measured(NOISE * np.float32(gain)), atol=1e-3)
