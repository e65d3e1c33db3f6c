"""Phases found anew: magnitudes stay, phases don't, and both halves are of one band."""

import librosa
import numpy as np
import pytest

from artifactnet.pipeline.training.decoders.griffin_lim import (
    RATES,
    WINDOW_SECONDS,
    Inversion,
    drawn,
    griffin_lim,
)
from tests.conftest import music

RATE = 22_050


def inversion(**changes) -> Inversion:
    own = {
        "rate": RATE, "window": 1024, "hop": 256, "n_fft": 1024, "mel_bands": 0,
        "top_hz": RATE / 2, "image": "", "error": 0.0, "iterations": 32, "momentum": 0.99,
    }  # fmt: skip
    return Inversion(**own | changes)


def spectrum(audio: np.ndarray) -> np.ndarray:
    return librosa.stft(audio, n_fft=1024, hop_length=256)


@pytest.mark.parametrize(
    "how",
    [
        inversion(),
        inversion(mel_bands=256),
        inversion(mel_bands=128, image="db", error=0.1),
        inversion(mel_bands=128, image="root", n_fft=2048),
    ],
)
def test_magnitudes_stay_and_phases_do_not(how: Inversion) -> None:
    audio = 0.5 * music(2.0, RATE)[:, 0]
    real, fake, rate = griffin_lim(audio, RATE, np.random.default_rng(0), how)
    assert rate == RATE
    assert real.shape == fake.shape == audio.shape
    assert real.dtype == fake.dtype == np.float32
    before, after = spectrum(real), spectrum(fake)
    loud = np.abs(before) > np.quantile(np.abs(before), 0.95)
    assert np.corrcoef(np.abs(before[loud]), np.abs(after[loud]))[0, 1] > 0.6
    turned = np.angle(after[loud] / before[loud])
    assert np.abs(np.exp(1j * turned).mean()) < 0.9


def test_both_halves_end_where_the_spectrogram_does() -> None:
    audio = np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32) * 0.1
    how = inversion(mel_bands=128, top_hz=5000.0)
    for half in griffin_lim(audio, RATE, np.random.default_rng(0), how)[:2]:
        power = np.square(np.abs(np.fft.rfft(half)))
        hz = np.fft.rfftfreq(len(half), 1 / RATE)
        assert power[hz > 5300].sum() < 1e-3 * power.sum()


def test_draws_are_repeatable_and_within_bounds() -> None:
    made = [drawn(44_100, np.random.default_rng(seed)) for seed in range(200)]
    assert made == [drawn(44_100, np.random.default_rng(seed)) for seed in range(200)]
    assert {one.rate for one in made} == set(RATES)
    for one in made:
        assert 0.9 * WINDOW_SECONDS[0] - 64 / one.rate <= one.window / one.rate
        assert one.window / one.rate <= WINDOW_SECONDS[1]
        assert one.hop <= one.window / 2
        assert one.top_hz <= one.rate / 2
    assert drawn(8_000, np.random.default_rng(0)).rate == 8_000


def test_silence_passes() -> None:
    quiet = np.zeros(RATE, np.float32)
    for seed in range(4):
        real, fake, _ = griffin_lim(quiet, RATE, np.random.default_rng(seed))
        assert np.isfinite(real).all()
        assert np.isfinite(fake).all()
