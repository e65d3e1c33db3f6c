"""Fakeprint: peaks where a decoder's strides put them, and the hull below them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.models.published.fakeprint import (
    FakeprintConfig,
    FakeprintRegression,
    fakeprint,
    load_fakeprint,
    lower_hull,
    mean_spectrum,
    save_fakeprint,
)

SIXTEEN = FakeprintConfig(16_000, n_fft=8192, f_min=1_000.0, f_max=8_000.0)


def test_size_is_that_of_the_public_weights() -> None:
    assert SIXTEEN.size == 3585


def test_mean_spectrum_is_that_of_all_frames() -> None:
    rng = np.random.default_rng(0)
    audio = rng.standard_normal(40_000).astype(np.float32)
    window = np.hanning(1025)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(audio, 1024)[::256]
    expected = (10 * np.log10(np.abs(np.fft.rfft(frames * window, axis=1)) ** 2)).mean(axis=0)
    np.testing.assert_allclose(mean_spectrum(audio, 1024), expected, atol=1e-4)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-90, 40), min_size=20, max_size=300), st.integers(2, 20))
def test_hull_passes_through_the_lowest(values: list[float], area: int) -> None:
    spectrum = np.array(values)
    hull = lower_hull(spectrum, area)
    assert hull.shape == spectrum.shape
    lowest = int(spectrum.argmin())
    assert hull[lowest] == pytest.approx(spectrum[lowest], abs=1e-6)


def test_a_tone_in_noise_is_the_highest_peak() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(16_000 * 4).astype(np.float32)
    tone = 0.05 * np.sin(2 * np.pi * 2_000 * np.arange(len(noise)) / 16_000)
    config = replace(SIXTEEN, max_db=60.0)  # uncut
    found = fakeprint((noise * 0.1 + tone).astype(np.float32), config)
    hertz = np.linspace(0, 8_000, 4097)[SIXTEEN.inside]
    assert hertz[found.argmax()] == pytest.approx(2_000, abs=4)
    assert found.max() == pytest.approx(1, abs=1e-4)


def test_short_and_silent_sound_have_one_too() -> None:
    for audio in (np.zeros(100, np.float32), np.zeros(20_000, np.float32)):
        found = fakeprint(audio, SIXTEEN)
        assert found.shape == (SIXTEEN.size,)
        assert np.isfinite(found).all()


def test_regression_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = FakeprintRegression(SIXTEEN)
    save_fakeprint(model, tmp_path / "one.safetensors")
    audio = np.random.default_rng(1).standard_normal(30_000).astype(np.float32)
    assert load_fakeprint(tmp_path / "one.safetensors").logit(audio) == model.logit(audio)


def test_bad_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="f_max"):
        FakeprintConfig(16_000, f_max=9_000.0)
    with pytest.raises(ValueError, match="fewer than area"):
        FakeprintConfig(16_000, n_fft=64, f_min=7_000.0, f_max=8_000.0)
