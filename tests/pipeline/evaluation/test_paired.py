"""Differences of two detectors on the same tracks."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from artifactnet.pipeline.evaluation.paired import (
    adjusted,
    paired_auc,
    paired_verdicts,
    placements,
)


def scores(rng: np.random.Generator, tracks: int, shift: float, shared: np.ndarray):
    is_ai = np.arange(tracks) % 2 == 0
    return is_ai, shift * is_ai + shared + rng.standard_normal(tracks)


def test_placements_average_to_the_auc() -> None:
    rng = np.random.default_rng(0)
    is_ai, score = scores(rng, 101, 0.8, np.zeros(101))
    score = np.round(score, 1)  # ties
    found = placements(score, is_ai)
    auc = roc_auc_score(is_ai, score)
    assert found[is_ai].mean() == pytest.approx(auc)
    assert found[~is_ai].mean() == pytest.approx(auc)


def test_a_detector_against_itself() -> None:
    is_ai, score = scores(np.random.default_rng(0), 60, 1.0, np.zeros(60))
    found = paired_auc(score, score, is_ai, np.arange(60))
    assert found == (0.0, 0.0, 0.0, 1.0)


def test_interval_covers_the_truth() -> None:
    """Of detectors that are equally good, 95 % of the intervals hold 0."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        shared = rng.standard_normal(80)
        is_ai, first = scores(rng, 80, 1.0, shared)
        _, second = scores(rng, 80, 1.0, shared)
        found = paired_auc(first, second, is_ai, np.arange(80))
        held += found.low <= 0 <= found.high
    assert 0.90 <= held / 200 <= 0.99


def test_versions_of_one_piece_count_as_one() -> None:
    rng = np.random.default_rng(2)
    is_ai, first = scores(rng, 40, 1.0, np.zeros(40))
    _, second = scores(rng, 40, 0.5, np.zeros(40))
    once = paired_auc(first, second, is_ai, np.arange(40))
    index = np.repeat(np.arange(40), 5)
    copied = paired_auc(first[index], second[index], is_ai[index], index)
    assert copied.value == pytest.approx(once.value)
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.02)


def test_one_class_has_no_auc() -> None:
    with pytest.raises(ValueError, match="both classes"):
        paired_auc(np.zeros(3), np.zeros(3), np.ones(3, bool), np.arange(3))


def test_verdicts_by_those_that_differ() -> None:
    first = np.array([True] * 90 + [False] * 10)
    second = np.array([True] * 80 + [False] * 20)
    found = paired_verdicts(first, second)
    assert found.value == pytest.approx(0.1)
    assert found.p_value == pytest.approx(2 * 0.5**10)
    assert 0 < found.low < found.value <= found.high <= 0.1
    assert paired_verdicts(first, first) == (0.0, 0.0, 0.0, 1.0)


def test_holm() -> None:
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([0.9, 0.8]) == pytest.approx([1.0, 1.0])
