"""The statistics are a function of the sound alone: neither level, nor padding, nor bandwidth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.models.statistics.forensic_statistics import (
    FEATURE_NAMES,
    FEATURES,
    GROUPS,
    forensic_statistics,
    group_sums,
)
from tests.conftest import music

AUDIO = music(4)[:, 0]


def named(audio: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, forensic_statistics(audio), strict=True))


def test_every_statistic_has_a_name_of_its_own() -> None:
    assert len(set(FEATURE_NAMES)) == FEATURES
    assert forensic_statistics(AUDIO).shape == (FEATURES,)
    assert forensic_statistics(AUDIO).dtype == np.float32
    assert np.isfinite(forensic_statistics(AUDIO)).mean() > 0.9


@given(gain=st.floats(0.01, 1.2))
@settings(max_examples=5, deadline=None)
def test_level_says_nothing(gain: float) -> None:
    found = forensic_statistics(AUDIO * np.float32(gain))
    np.testing.assert_allclose(found, forensic_statistics(AUDIO), rtol=2e-3, atol=2e-3)


def test_zeros_that_pad_a_window_are_passed_over() -> None:
    padded = np.concatenate([np.zeros(3000, np.float32), AUDIO, np.zeros(9000, np.float32)])
    np.testing.assert_allclose(forensic_statistics(padded), forensic_statistics(AUDIO), atol=1e-5)


@pytest.mark.parametrize("audio", [np.zeros(176_400), AUDIO[:20_000], AUDIO * 1e-8, AUDIO[:0]])
def test_where_there_is_nothing_to_measure_all_is_missing(audio: np.ndarray) -> None:
    assert np.isnan(forensic_statistics(audio.astype(np.float32))).all()


TIME = np.arange(176_400) / 44_100
RNG = np.random.default_rng(5)
ODD = {
    "constant": np.full(176_400, 0.5),
    "impulse": np.eye(1, 176_400, 88_200)[0],
    "sine": np.sin(2 * np.pi * 440 * TIME),
    "square": np.sign(np.sin(2 * np.pi * 100 * TIME)),
    "at Nyquist": np.cos(np.pi * np.arange(176_400)),
    "hum": np.sin(2 * np.pi * 50 * TIME),
    "clipped": np.clip(RNG.normal(0, 5, 176_400), -1, 1),
    "gap": np.where((TIME > 1) & (TIME < 2.5), 0, RNG.normal(0, 0.1, 176_400)),
    "clicks": (RNG.random(176_400) < 1e-4).astype(float),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_sounds_are_measured_or_missing(name: str) -> None:
    found = forensic_statistics(ODD[name].astype(np.float32))
    assert found.shape == (FEATURES,)
    assert not np.isinf(found).any()


def test_a_band_that_is_empty_is_missing_and_not_a_number() -> None:
    spectrum = np.fft.rfft(AUDIO)
    spectrum[int(7000 / 22_050 * len(spectrum)) :] = 0
    low = named(np.fft.irfft(spectrum, len(AUDIO)).astype(np.float32))
    assert np.isnan(low["fine_correlation/b7/df0_dt1"])
    assert np.isfinite(low["fine_correlation/b1/df0_dt1"])


def test_an_upsampled_lattice_shows() -> None:
    """Zero-order hold at a twelfth of the rate: energy of the second difference at that rate."""
    held = np.repeat(AUDIO[::12], 12)[: len(AUDIO)]
    rate = next(n for n in FEATURE_NAMES if n.startswith("cyclic/") and n.endswith("/first"))
    assert rate in named(held)
    plain, coarse = named(AUDIO), named(np.repeat(AUDIO[::16], 16)[: len(AUDIO)])
    at = "cyclic/2756.25hz/first"  # 44,100 / 16
    assert coarse[at] > plain[at] + 1


def test_groups_add_up() -> None:
    rng = np.random.default_rng(0)
    contributions = rng.standard_normal((3, FEATURES))
    sums = group_sums(contributions)
    assert sums.shape == (3, len(GROUPS))
    np.testing.assert_allclose(sums.sum(axis=1), contributions.sum(axis=1), atol=1e-4)
    own = [name.startswith("phase/") for name in FEATURE_NAMES]
    wanted = contributions[:, own].sum(axis=1)
    np.testing.assert_allclose(sums[:, GROUPS.index("phase")], wanted, atol=1e-4)
