import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.pipeline.training.augmentations import Augmentation, augment, draw_augmentation
from tests.conftest import music


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_length_and_range_are_kept_and_the_draw_is_repeatable(seed: int) -> None:
    audio = music(1)[:, 0]
    augmentation = draw_augmentation(np.random.default_rng(seed))
    assert augmentation == draw_augmentation(np.random.default_rng(seed))
    (out,) = augment((audio,), 44_100, augmentation)
    assert out.shape == audio.shape
    assert out.dtype == np.float32
    assert np.abs(out).max() <= 1
    np.testing.assert_array_equal(out, augment((audio,), 44_100, augmentation)[0])


def test_low_pass_removes_what_is_above() -> None:
    noise = np.random.default_rng(0).standard_normal(44_100).astype(np.float32) * 0.1
    (out,) = augment((noise,), 44_100, Augmentation(0, 8000.0, (0, 0), 0.5, ()))
    spectrum = np.abs(np.fft.rfft(out))
    assert spectrum[12_000:].mean() < 0.02 * spectrum[:6000].mean()


def test_narrow_rate_removes_what_is_above() -> None:
    noise = np.random.default_rng(0).standard_normal(44_100).astype(np.float32) * 0.1
    (out,) = augment((noise,), 44_100, Augmentation(16_000, 0.0, (0, 0), 0.5, ()))
    spectrum = np.abs(np.fft.rfft(out))
    assert spectrum[9000:].mean() < 0.02 * spectrum[:6000].mean()


def test_peak_is_set() -> None:
    (out,) = augment((music(1)[:, 0],), 44_100, Augmentation(0, 0.0, (0, 0), 0.25, ()))
    assert np.abs(out).max() == pytest.approx(0.25, abs=1e-3)


def test_silence_passes() -> None:
    for seed in range(20):
        augmentation = draw_augmentation(np.random.default_rng(seed))
        (out,) = augment((np.zeros(44_100, np.float32),), 44_100, augmentation)
        assert np.isfinite(out).all()
