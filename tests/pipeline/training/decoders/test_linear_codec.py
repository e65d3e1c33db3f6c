import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.pipeline.training.decoders.linear_codec import (
    LinearCodecConfig,
    draw_linear_codec,
    linear_codec,
)
from tests.conftest import music


# A few draws in a thousand (9 levels, long frames, half a second) are less alike than this.
@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_length_is_kept_and_the_result_is_like_the_music(seed: int) -> None:
    audio = music(0.5)[:, 0]
    config = draw_linear_codec(np.random.default_rng(seed))
    decoded = linear_codec(audio, config)
    assert decoded.shape == audio.shape
    assert decoded.dtype == np.float32
    assert np.corrcoef(audio, decoded)[0, 1] > 0.5
    np.testing.assert_array_equal(decoded, linear_codec(audio, config))


@pytest.mark.parametrize("overlap", [1, 2, 4])
def test_more_coefficients_are_closer(overlap: int) -> None:
    audio = music(1)[:, 0]
    errors = [
        np.mean((audio - linear_codec(audio, LinearCodecConfig(64, overlap, kept, 1025))) ** 2)
        for kept in (0.3, 0.9)
    ]
    assert errors[1] < errors[0]


def test_traces_recur_at_the_frame_rate() -> None:
    tone = np.sin(2 * np.pi * 3000 * np.arange(44_100) / 44_100).astype(np.float32)
    hop = 147  # 300 frames a second
    error = linear_codec(tone, LinearCodecConfig(hop, 1, 0.4, 9)) - tone
    spectrum = np.abs(np.fft.rfft(error[: 44_100 // hop * hop]))
    comb = spectrum[::300]
    assert comb.max() > 20 * np.median(spectrum)


def test_silence_passes() -> None:
    assert np.isfinite(linear_codec(np.zeros(5000, np.float32), LinearCodecConfig(64))).all()
