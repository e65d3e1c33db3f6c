import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.training.random_channel import Channel, apply_channel, draw_channel
from tests.conftest import music


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_length_and_range_are_kept_and_the_draw_is_repeatable(seed: int) -> None:
    audio = music(1)[:, 0]
    channel = draw_channel(np.random.default_rng(seed))
    assert channel == draw_channel(np.random.default_rng(seed))
    (out,) = apply_channel((audio,), 44_100, channel)
    assert out.shape == audio.shape
    assert out.dtype == np.float32
    assert np.abs(out).max() <= 1
    np.testing.assert_array_equal(out, apply_channel((audio,), 44_100, channel)[0])


def test_low_pass_removes_what_is_above() -> None:
    noise = np.random.default_rng(0).standard_normal(44_100).astype(np.float32) * 0.1
    (out,) = apply_channel((noise,), 44_100, Channel(0, 8000.0, (0, 0), 0.5, ()))
    spectrum = np.abs(np.fft.rfft(out))
    assert spectrum[12_000:].mean() < 0.02 * spectrum[:6000].mean()


def test_narrow_rate_removes_what_is_above() -> None:
    noise = np.random.default_rng(0).standard_normal(44_100).astype(np.float32) * 0.1
    (out,) = apply_channel((noise,), 44_100, Channel(16_000, 0.0, (0, 0), 0.5, ()))
    spectrum = np.abs(np.fft.rfft(out))
    assert spectrum[9000:].mean() < 0.02 * spectrum[:6000].mean()


def test_peak_is_set() -> None:
    (out,) = apply_channel((music(1)[:, 0],), 44_100, Channel(0, 0.0, (0, 0), 0.25, ()))
    assert np.abs(out).max() == pytest.approx(0.25, abs=1e-3)


def test_silence_passes() -> None:
    for seed in range(20):
        channel = draw_channel(np.random.default_rng(seed))
        (out,) = apply_channel((np.zeros(44_100, np.float32),), 44_100, channel)
        assert np.isfinite(out).all()
