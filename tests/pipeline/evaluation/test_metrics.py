import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.pipeline.evaluation.metrics import (
    ScoredTracks,
    auc,
    expected_calibration_error,
    measure,
    resampled,
    tpr_at,
)


def tracks(seed: int = 0, size: int = 400, distance: float = 2.0) -> ScoredTracks:
    rng = np.random.default_rng(seed)
    is_ai = rng.random(size) < 0.5
    score = 1 / (1 + np.exp(-rng.normal(distance * (is_ai - 0.5), 1)))
    group = np.array([f"g{n // 4}" for n in range(size)])
    return ScoredTracks(is_ai, score, score >= 0.6, group)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), rate=st.sampled_from([0.01, 0.05, 0.2]))
def test_tpr_at_a_rate_equals_a_search_over_thresholds(seed: int, rate: float) -> None:
    some = tracks(seed, 80)
    best = 0.0
    for threshold in some.score:
        called = some.score >= threshold
        if called[~some.is_ai].mean() <= rate:
            best = max(best, called[some.is_ai].mean())
    assert tpr_at(rate)(some) == pytest.approx(best)


def test_figures_by_hand() -> None:
    is_ai = np.array([True, True, True, False, False, False])
    called = np.array([True, True, False, True, False, False])
    some = ScoredTracks(is_ai, called * 0.8, called, np.arange(6).astype(str))
    found = measure(some, resamples=50)
    assert found.precision.value == pytest.approx(2 / 3)
    assert found.recall.value == pytest.approx(2 / 3)
    assert found.f1.value == pytest.approx(2 / 3)
    assert found.fpr.value == pytest.approx(1 / 3)
    assert (found.tracks_ai, found.tracks_real) == (3, 3)


def test_intervals_hold_the_figure_and_shrink_with_more_tracks() -> None:
    small, large = (measure(tracks(size=size), resamples=200) for size in (100, 1600))
    for found in (small, large):
        assert found.auc.low <= found.auc.value <= found.auc.high
    assert large.auc.high - large.auc.low < small.auc.high - small.auc.low


def test_groups_are_resampled_whole() -> None:
    some = tracks(size=40)
    sample = resampled(some, np.random.default_rng(0))
    _, counts = np.unique(sample.group, return_counts=True)
    assert (counts % 4 == 0).all()
    assert len(sample) == len(some)


def test_a_single_class_gives_no_area() -> None:
    some = tracks()
    real = some.take(~some.is_ai)
    assert np.isnan(auc(real))
    found = measure(real, resamples=20)
    assert np.isnan(found.auc.value)
    assert found.fpr.value == pytest.approx(real.called_ai.mean())


def test_calibration_error() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(20_000)
    honest = ScoredTracks(
        rng.random(20_000) < score, score, score > 1, np.arange(20_000).astype(str)
    )
    boastful = ScoredTracks(honest.is_ai, np.sqrt(score), honest.called_ai, honest.group)
    assert expected_calibration_error(honest) < 0.02
    assert expected_calibration_error(boastful) > 0.1
