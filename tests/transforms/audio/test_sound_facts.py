import numpy as np
import pytest

from artifactnet.transforms.audio.sound_facts import (
    SoundFacts,
    channel_correlation,
    median_facts,
    sound_facts,
)

RATE = 44_100


def facts_of(samples: np.ndarray) -> SoundFacts:
    samples = samples.astype(np.float32)
    return sound_facts(samples, samples.mean(axis=1), RATE)


def tone(hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(4 * RATE) / RATE)[:, None]


def test_a_tone_has_the_level_and_the_bandwidth_of_a_tone() -> None:
    found = facts_of(0.5 * tone(1000))
    assert found.level_db == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)
    assert found.crest_db == pytest.approx(3.01, abs=0.01)
    assert found.bandwidth_hz == pytest.approx(1000, abs=120)
    assert np.isnan(found.channel_correlation)


def test_clipping_and_limiting_show() -> None:
    music = np.random.default_rng(0).normal(0, 0.2, (4 * RATE, 1))
    clipped = np.clip(3 * music, -0.5, 0.5)
    assert facts_of(music).at_peak < 0.001
    assert facts_of(clipped).at_peak > 0.3
    assert facts_of(clipped).crest_db < facts_of(music).crest_db - 6


@pytest.mark.parametrize(("right", "correlation"), [(1, 1), (-1, -1), (0, np.nan)])
def test_channels_in_phase_in_antiphase_and_alone(right: float, correlation: float) -> None:
    samples = np.hstack([tone(300), right * tone(300)]).astype(np.float32)
    np.testing.assert_allclose(channel_correlation(samples), correlation, atol=1e-5)


def test_the_median_passes_over_what_a_window_does_not_have() -> None:
    some = [SoundFacts(level_db=level) for level in (-10.0, -20.0, -90.0)]
    some[0] = some[0]._replace(channel_correlation=0.5)
    assert median_facts(some).level_db == -20.0
    assert median_facts(some).channel_correlation == 0.5
    assert np.isnan(median_facts(some[1:]).channel_correlation)
