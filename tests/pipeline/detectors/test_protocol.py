"""What a detector is given, and what is done with what it says."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from artifactnet.pipeline.detectors.protocol import (
    DetectorError,
    checked,
    joined,
    probabilities,
    sound_for,
    track_score,
)


@dataclass
class Echo:
    """Says the peak of what it is given, and keeps it."""

    name: str = "echo"
    sample_rate: int = 1_000
    channels: int = 1
    seconds: float | None = None
    level: str = "segment"
    output: str = "probability"
    pooling: str = "median"
    given: list[NDArray] = field(default_factory=list)

    def threshold(self, segments: int) -> float:
        return 0.5

    def score(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        self.given.append(sound)
        return np.abs(sound).max(axis=(1, 2))


WINDOWS = np.stack([np.full(4_000, value, np.float32) for value in (0.1, 0.4, 0.9)])


def test_segments_are_scored_one_by_one_and_pooled() -> None:
    detector = Echo()
    assert track_score(detector, WINDOWS, (0, 4, 8), 1_000) == pytest.approx(0.4)
    assert detector.given[0].shape == (3, 1, 4_000)


def test_stereo_gets_both_channels() -> None:
    sound = sound_for(Echo(channels=2), WINDOWS, (0, 4, 8), 1_000)
    assert sound.shape == (3, 2, 4_000)
    np.testing.assert_array_equal(sound[:, 0], sound[:, 1])


def test_fixed_length_cuts_or_adds_silence() -> None:
    assert sound_for(Echo(seconds=2.5), WINDOWS, (0, 4, 8), 1_000).shape == (3, 1, 2_500)
    longer = sound_for(Echo(seconds=5), WINDOWS, (0, 4, 8), 1_000)
    assert longer.shape == (3, 1, 5_000)
    assert not longer[:, :, 4_000:].any()


def test_a_window_that_holds_it_several_times_is_several() -> None:
    sound = sound_for(Echo(seconds=1.5), WINDOWS, (0, 4, 8), 1_000)
    assert sound.shape == (6, 1, 1_500)
    assert track_score(Echo(seconds=1.5), WINDOWS, (0, 4, 8), 1_000) == pytest.approx(0.4)


def test_track_level_gets_all_at_once_and_shared_sound_once() -> None:
    time = np.arange(8_000, dtype=np.float32) / 8_000
    starts = (0.0, 2.0, 4.0)
    windows = np.stack([time[round(s * 1000) : round(s * 1000) + 4_000] for s in starts])
    sound = sound_for(Echo(level="track"), windows, starts, 1_000)
    np.testing.assert_array_equal(sound[0, 0], time)


@settings(deadline=None)
@given(st.lists(st.integers(0, 4_000), min_size=1, max_size=8))
def test_joined_holds_what_the_windows_cover(firsts: list[int]) -> None:
    firsts = sorted(firsts)
    windows = np.stack([np.arange(first, first + 500) for first in firsts]).astype(np.float32)
    found = joined(windows, [first / 1_000 for first in firsts], 1_000)
    np.testing.assert_array_equal(found, np.unique(windows))


def test_other_rates_are_resampled() -> None:
    assert sound_for(Echo(sample_rate=500), WINDOWS, (0, 4, 8), 1_000).shape == (3, 1, 2_000)


def test_logits_become_probabilities() -> None:
    sound = np.zeros((2, 1, 10), np.float32)
    assert probabilities(Echo(output="logit"), sound).tolist() == [0.5, 0.5]


class Wrong(Echo):
    """Says what it was told to."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer

    def score(self, sound):
        return self.answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [([0.1], r"shape \(1,\)"), ([0.1, np.nan], "NaN"), ([0.1, 1.5], "as probability")],
)
def test_what_is_no_score_is_said(answer, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        probabilities(Wrong(answer), np.zeros((2, 1, 10), np.float32))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"channels": 3}, "channels is 3; use 1 or 2"),
        ({"level": "bar"}, "level is 'bar'; use segment or track"),
        ({"sample_rate": 12}, "sample_rate is 12"),
        ({"seconds": -1}, "seconds is -1"),
        ({"name": None}, "name is None"),
        ({"score": 3}, "no method score"),
    ],
)
def test_mistakes_of_a_detector_are_named(attributes: dict, message: str) -> None:
    detector = Echo()
    for name, value in attributes.items():
        setattr(detector, name, value)
    with pytest.raises(DetectorError, match=message):
        checked(detector, "some:thing")


def test_missing_attribute_is_named() -> None:
    with pytest.raises(DetectorError, match="has no attribute name"):
        checked(object(), "some:thing")  # type: ignore[arg-type]
