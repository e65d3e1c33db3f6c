import numpy as np
import pytest

from artifactnet.pipeline.training.degradations import (
    DEGRADATIONS,
    Degradation,
    band_replication,
    bit_crushing,
    zero_order_hold,
)
from tests.conftest import music


@pytest.mark.parametrize("degradation", DEGRADATIONS, ids=lambda degradation: degradation.__name__)
def test_length_and_type_are_kept_and_something_changes(degradation: Degradation) -> None:
    audio = music(1)[:, 0]
    out = degradation(audio, 44_100, np.random.default_rng(0))
    assert out.shape == audio.shape
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert not np.allclose(out, audio, atol=1e-4)


@pytest.mark.parametrize("degradation", DEGRADATIONS, ids=lambda degradation: degradation.__name__)
def test_silence_passes(degradation: Degradation) -> None:
    out = degradation(np.zeros(22_050, np.float32), 44_100, np.random.default_rng(0))
    assert np.isfinite(out).all()


def test_crushed_audio_takes_few_values() -> None:
    out = bit_crushing(music(1)[:, 0], 44_100, np.random.default_rng(0))
    assert len(np.unique(out)) <= 1025


def test_held_samples_leave_images_above_the_old_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(44_100) / 44_100).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(zero_order_hold(tone, 44_100, np.random.default_rng(0))))
    assert spectrum[4000:].max() > 0.02 * spectrum[1000]


def test_replicated_band_ends_where_its_copy_does() -> None:
    noise = np.random.default_rng(0).standard_normal(44_100).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(band_replication(noise, 44_100, np.random.default_rng(0))))
    assert spectrum[19_000:].mean() < 0.1 * spectrum[:4000].mean()
