"""Halves of a pair end at one frequency; those that did are left alone."""

import numpy as np
import soxr
from hypothesis import given
from hypothesis import strategies as st

from artifactnet.pipeline.training.augmentations import ALIKE, cut_offs, match_bandwidth
from tests.conftest import music

RATE = 44_100


def ends(audio: np.ndarray) -> np.ndarray:
    """Cut-off in Hz of ``audio`` ``[..., samples]``."""
    samples = audio.shape[-1]
    power = np.abs(np.fft.rfft(audio * np.hanning(samples))) ** 2
    return cut_offs(power, round(200 * samples / RATE)) * RATE / samples


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (0.1 * rng.standard_normal(shape)).astype(np.float32)


def through(audio: np.ndarray, rate: int) -> np.ndarray:
    narrow = soxr.resample(soxr.resample(audio, RATE, rate), rate, RATE)
    rounded = np.round(narrow * 32_767) / 32_767
    return np.pad(rounded, (0, max(0, len(audio) - len(rounded))))[: len(audio)].astype(np.float32)


def test_cut_off_is_where_a_resampler_ends() -> None:
    audio = noise(np.random.default_rng(0), RATE)
    assert abs(ends(through(audio, 16_000)) - 8_000) < 500
    assert ends(audio) > 21_500


@given(st.sampled_from([11_025, 16_000, 22_050, 24_000, 32_000]), st.booleans())
def test_the_wider_half_comes_down_to_the_narrower(rate: int, generated_is_narrow: bool) -> None:
    rng = np.random.default_rng(rate)
    wide, source = noise(rng, 2, RATE // 2)
    halves = [wide, through(source, rate)]
    pair = np.stack(halves if generated_is_narrow else halves[::-1])
    matched = match_bandwidth(pair, RATE, rng)
    real, generated = ends(matched)
    assert abs(real / generated - 1) < 0.05
    power = np.abs(np.fft.rfft(matched * np.hanning(matched.shape[-1]))) ** 2
    frequency = np.fft.rfftfreq(matched.shape[-1], 1 / RATE)
    above = power[:, frequency > rate / 2 + 400].mean(axis=-1)
    assert 0.5 < above[0] / above[1] < 2  # the same rounding noise in both
    inside = (frequency > 200) & (frequency < 0.4 * rate)
    before = np.abs(np.fft.rfft(pair * np.hanning(pair.shape[-1]))) ** 2
    np.testing.assert_allclose(
        power[:, inside].mean(axis=-1), before[:, inside].mean(axis=-1), rtol=0.01
    )


def test_pairs_that_end_alike_and_silence_are_unchanged() -> None:
    pairs = np.stack([noise(np.random.default_rng(0), 2, RATE // 2), np.zeros((2, RATE // 2))])
    pairs = pairs.astype(np.float32)
    matched = match_bandwidth(pairs, RATE, np.random.default_rng(0))
    np.testing.assert_array_equal(matched, pairs)
    assert matched.dtype == np.float32
    assert ALIKE < 1


def test_music_keeps_its_shape() -> None:
    pairs = np.stack([[music(1)[:, 0], through(music(1)[:, 0], 16_000)]] * 3)[None]
    matched = match_bandwidth(pairs, RATE, np.random.default_rng(0))
    assert matched.shape == pairs.shape
    assert np.isfinite(matched).all()
