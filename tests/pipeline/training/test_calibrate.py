import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.training.calibrate import cross_validated, thresholds, upper_threshold


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), rate=st.sampled_from([0.02, 0.05, 0.1]))
def test_a_further_score_passes_as_rarely_as_asked(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    passed = [rng.random() >= upper_threshold(rng.random(100), rate) for _ in range(400)]
    assert np.mean(passed) <= rate + 4 * np.sqrt(rate / 400)


def test_a_claim_that_the_data_cannot_carry_is_refused() -> None:
    with pytest.raises(ValueError, match=r"50 tracks can't carry a rate of 0\.01; 99 can"):
        upper_threshold(np.random.default_rng(0).random(50), 0.01)
    assert upper_threshold(np.random.default_rng(0).random(99), 0.01) < 1.01


def test_thresholds_are_in_order_even_when_the_classes_part_cleanly() -> None:
    rng = np.random.default_rng(0)
    real, ai = thresholds(rng.random(200) * 0.1, 0.9 + rng.random(200) * 0.1, 0.02, 0.05)
    assert real <= ai <= 0.11


def test_cross_validation_counts_every_track() -> None:
    rng = np.random.default_rng(0)
    shares = cross_validated(rng.normal(0, 1, 500), rng.normal(3, 1, 500), 0.02, 0.05)
    assert sum(v for k, v in shares.items() if k.startswith("genuine")) == pytest.approx(
        1, abs=1e-3
    )
    assert shares["genuine called ai"] == pytest.approx(0.02, abs=0.02)
    assert shares["generated called ai"] > 0.7
