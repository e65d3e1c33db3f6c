import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap
from sklearn.metrics import roc_auc_score

from artifactnet.pipeline.evaluation.intervals import (
    auc_interval,
    counted_by_source,
    exact_bounds,
)


@pytest.mark.parametrize(("seen", "tracks"), [(0, 20), (3, 20), (20, 20), (7, 1221)])
def test_bounds_are_those_of_scipy(seen: int, tracks: int) -> None:
    interval = binomtest(seen, tracks).proportion_ci(0.95, "exact")
    assert exact_bounds(seen, tracks, 0.05) == pytest.approx((interval.low, interval.high))


def test_tracks_of_one_source_count_as_fewer() -> None:
    alike = counted_by_source(np.repeat([True, False, True, False], 25), np.repeat([*"abcd"], 25))
    mixed = counted_by_source(np.tile([True, False], 50), np.repeat([*"abcd"], 25))
    assert (alike.seen, alike.tracks) == (mixed.seen, mixed.tracks) == (50, 100)
    assert alike.design > 20
    assert mixed.design == 1.0
    assert alike.bounds(0.05)[0] < mixed.bounds(0.05)[0]
    assert counted_by_source(np.zeros(9, bool), ["a"] * 9).design == 1.0


def test_delongs_interval_agrees_with_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(1, 1, 80), rng.normal(0, 1, 120)
    auc, low, high = auc_interval(positive, negative)
    labels = np.r_[np.ones(80), np.zeros(120)]
    assert auc == pytest.approx(roc_auc_score(labels, np.r_[positive, negative]))

    def statistic(one: np.ndarray, other: np.ndarray) -> float:
        return float((one[:, None] > other).mean())

    drawn = bootstrap(
        (positive, negative), statistic, vectorized=False, n_resamples=500, rng=rng
    ).confidence_interval
    assert (low, high) == pytest.approx(tuple(drawn), abs=0.02)


def test_an_auc_of_one_is_no_certainty() -> None:
    auc, low, high = auc_interval(np.arange(10.0) + 100, np.arange(10.0))
    assert auc == 1.0
    assert low == pytest.approx(0.025**0.1)
    assert high == 1.0
    mirrored = auc_interval(np.arange(10.0), np.arange(10.0) + 100)
    assert mirrored[1:] == pytest.approx((1 - high, 1 - low))


def test_ties_count_half() -> None:
    assert auc_interval(np.ones(5), np.ones(7))[0] == 0.5
