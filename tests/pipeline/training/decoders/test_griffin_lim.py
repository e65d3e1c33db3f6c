"""Phases found anew: magnitudes stay and phases don't, and both halves are of one rate."""

import librosa
import numpy as np
import pytest

from artifactnet.pipeline.training.decoders.griffin_lim import RATES, griffin_lim
from tests.conftest import music

RATE = 22_050


def spectrum(audio: np.ndarray) -> np.ndarray:
    return librosa.stft(audio, n_fft=1024, hop_length=256)


@pytest.mark.parametrize("seed", range(6))
def test_magnitudes_stay_and_phases_do_not(seed: int) -> None:
    audio = 0.5 * music(2.0, RATE)[:, 0]
    real, fake, rate = griffin_lim(audio, RATE, np.random.default_rng(seed))
    assert rate in (*RATES, RATE)
    assert rate <= RATE
    assert real.shape == fake.shape
    assert len(real) == pytest.approx(len(audio) * rate / RATE, abs=2)
    assert real.dtype == fake.dtype == np.float32
    before, after = spectrum(real), spectrum(fake)
    loud = np.abs(before) > np.quantile(np.abs(before), 0.95)
    assert np.corrcoef(np.abs(before[loud]), np.abs(after[loud]))[0, 1] > 0.6
    turned = np.angle(after[loud] / (before[loud] + 1e-9))
    assert np.abs(np.exp(1j * turned).mean()) < 0.9
    again = griffin_lim(audio, RATE, np.random.default_rng(seed))
    np.testing.assert_array_equal(fake, again[1])


def test_silence_passes() -> None:
    quiet = np.zeros(RATE, np.float32)
    for seed in range(4):
        real, fake, _ = griffin_lim(quiet, RATE, np.random.default_rng(seed))
        assert np.isfinite(real).all()
        assert np.isfinite(fake).all()
