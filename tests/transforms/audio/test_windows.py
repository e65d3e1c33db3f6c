import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.transforms.audio.windows import (
    AudioInfo,
    DecodeLimits,
    check_limits,
    deadline_check,
    mono_window,
    plan_windows,
    windows_apart,
)
from artifactnet.transforms.elements.errors import DecodeLimitError, EmptyAudioError
from tests.conftest import music


@given(st.floats(0.01, 1e5), st.none() | st.integers(1, 50), st.booleans())
def test_windows_are_even_within_the_track_and_no_more_than_needed(
    duration: float, segments: int | None, half_steps: bool
) -> None:
    starts = plan_windows(duration, 4.0, segments, half_steps)
    assert starts[0] == 0
    assert list(starts) == sorted(starts)
    assert starts[-1] <= max(0.0, duration - 4) + 1e-6
    if segments is not None:
        assert len(starts) <= segments
    if len(starts) > 1:
        assert starts[-1] == pytest.approx(duration - 4)
        assert np.ptp(np.diff(starts)) < 1e-6 * duration
    else:
        assert segments == 1 or duration <= 4.4 + 1e-6
    if segments is None:
        assert np.all(np.diff(starts) <= 4.4 + 1e-6)
    if len(starts) > 2:
        assert np.all(np.diff(starts) >= 1.8)


@pytest.mark.parametrize(
    ("starts", "apart"),
    [((), 0), ((0.0,), 1), ((0.0, 2.0, 4.0, 6.0), 2), ((0.0, 3.0, 6.0), 2), ((0.0, 4.0, 8.0), 3)],
)
def test_how_many_windows_do_not_overlap(starts: tuple[float, ...], apart: int) -> None:
    assert windows_apart(starts, 4.0) == apart


@pytest.mark.parametrize(
    ("duration", "segments", "count"),
    [(180, 7, 7), (12, 7, 3), (12.3, 7, 3), (12.5, 7, 4), (4, 7, 1), (60, None, 15)],
)  # fmt: skip
def test_how_many_windows(duration: float, segments: int | None, count: int) -> None:
    assert len(plan_windows(duration, 4.0, segments)) == count


@pytest.mark.parametrize(
    ("duration", "segments", "count"),
    [(180, 7, 7), (28, 7, 7), (12, 7, 5), (10, 7, 4), (10, 3, 3), (6, 7, 2), (4.3, 7, 1),
     (12, None, 3)],
)  # fmt: skip
def test_how_many_windows_at_half_steps(duration: float, segments: int | None, count: int) -> None:
    assert len(plan_windows(duration, 4.0, segments, half_steps=True)) == count


def test_downmix_is_the_mean() -> None:
    left, right = music(1)[:, 0], music(1, channels=2)[:, 1]
    window = mono_window(np.stack([left, right], 1), 44_100, 44_100, 44_100)
    np.testing.assert_allclose(window, (left + right) / 2, atol=1e-6)


@given(rate=st.sampled_from([8000, 16_000, 22_050, 48_000, 96_000]), seconds=st.floats(0.5, 2))
@settings(deadline=None)
def test_window_has_its_length_whatever_the_rate(rate: int, seconds: float) -> None:
    window = mono_window(music(seconds, rate), rate, 44_100, 44_100)
    assert window.shape == (44_100,)
    assert np.abs(window).max() <= 1


@pytest.mark.parametrize(
    ("info", "error"),
    [
        (AudioInfo("wav", "pcm", 44_100, 64, 10.0), DecodeLimitError),
        (AudioInfo("wav", "pcm", 1_000_000, 1, 10.0), DecodeLimitError),
        (AudioInfo("wav", "pcm", 44_100, 1, 1e6), DecodeLimitError),
        (AudioInfo("wav", "pcm", 44_100, 1, 0.0), EmptyAudioError),
        (AudioInfo("wav", "pcm", 0, 1, 1.0), EmptyAudioError),
    ],
)
def test_limits(info: AudioInfo, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_limits(info, DecodeLimits())


def test_deadline() -> None:
    deadline_check(60)()
    with pytest.raises(DecodeLimitError, match="longer than"):
        deadline_check(-1)()
