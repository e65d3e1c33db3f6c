import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score

from artifactnet.pipeline.evidence.catalogue import auc_interval, confounds


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


def test_a_verdict_that_follows_the_bandwidth_is_pointed_out() -> None:
    rng = np.random.default_rng(0)
    flagged = np.arange(100) < 50
    tracks = pa.table(
        {
            "verdict": np.where(flagged, "ai", "real"),
            "bandwidth_hz": np.where(flagged, 16_000.0, 20_000.0) + rng.normal(0, 500, 100),
            "level_db": rng.normal(-20, 3, 100),
            "file_bytes": [1_000_000] * 100,
            "duration": [60.0] * 100,
        }
    )
    found = {one.name: one for one in confounds(tracks)}
    assert found["bandwidth_hz"].suspect
    assert not found["level_db"].suspect
    assert found["bit_rate"].auc == 0.5
    assert found["crest_db"].auc is None  # an older audit has no such column
