"""What the head says of a segment, and how a voice alone and missing statistics temper it."""

import numpy as np
import pytest

from artifactnet.models.statistics.forensic_statistics import FEATURES, GROUPS
from artifactnet.models.statistics.head import VOICE_DOUBT, StatisticsHead
from artifactnet.transforms.statistics import head_scores


class Head:
    """Says logits of 2 for everything, and a voice alone of so much."""

    features = FEATURES
    doubt = StatisticsHead.doubt

    def __init__(self, p_voice: float, missing_doubt: float = 0.0) -> None:
        self._p_voice = p_voice
        self.missing_doubt = missing_doubt

    def contributions(self, features, together):
        assert together.tolist() == [0] * len(features)
        parts = np.zeros(features.shape)
        parts[:, 0] = 1.5
        return 0.5, parts

    def p_voice(self, features):
        return np.full(len(features), self._p_voice)


def logit_of(p_voice: float, missing: float = 0.0, missing_doubt: float = 0.0) -> float:
    statistics = np.zeros((2, FEATURES), np.float32)
    statistics[:, FEATURES - round(missing * FEATURES) :] = np.nan
    head = Head(p_voice, missing_doubt)
    scores = head_scores(head, statistics, 8)  # type: ignore[arg-type]
    assert scores.group_logits.shape == (2, len(GROUPS))
    p_ai = float(scores.p_ai[0])
    return float(np.log(p_ai / (1 - p_ai)))


def test_music_counts_in_full() -> None:
    assert logit_of(0.0) == pytest.approx(2.0, abs=1e-5)


def test_a_voice_alone_counts_less() -> None:
    assert logit_of(1.0) == pytest.approx(2.0 * (1 - VOICE_DOUBT), abs=1e-5)
    assert 2.0 > logit_of(0.2) > logit_of(0.8) > logit_of(1.0)


def test_a_head_that_does_not_ask_counts_in_full() -> None:
    assert logit_of(float("nan")) == pytest.approx(2.0, abs=1e-5)


def test_the_less_was_measured_the_less_it_counts() -> None:
    assert logit_of(0.0, missing=0.6) == pytest.approx(2.0, abs=1e-5)
    half = logit_of(0.0, missing=0.6, missing_doubt=0.5)
    assert half == pytest.approx(2.0 * (1 - 0.5 * 0.6), abs=1e-3)
    assert logit_of(0.0, missing_doubt=0.5) == pytest.approx(2.0, abs=1e-5)
    both = logit_of(1.0, missing=0.6, missing_doubt=0.5)
    assert both == pytest.approx(half * (1 - VOICE_DOUBT), abs=1e-3)
