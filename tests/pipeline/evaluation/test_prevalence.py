import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifactnet.pipeline.evaluation.intervals import Counted
from artifactnet.pipeline.evaluation.prevalence import Stratum, prevalence


def stratum(called: int, of: int, found: int = 80, mistaken: int = 1, size: float = 1.0) -> Stratum:
    return Stratum("s", size, Counted(called, of), Counted(found, 100), Counted(mistaken, 100))


def test_the_errors_of_the_detector_are_taken_out() -> None:
    """Of 1,000 tracks half are generated: 400 found and 5 mistaken are called ai."""
    found = prevalence([stratum(405, 1000)])
    assert found.share == pytest.approx(0.5, abs=0.02)
    assert found.lower < 0.5 < found.upper


def test_what_is_called_no_more_than_human_music_is_none() -> None:
    found = prevalence([stratum(10, 1000)])
    assert found.share == 0.0
    assert found.lower == 0.0
    assert found.upper > 0.0


def test_strata_weigh_by_their_size() -> None:
    none, all_ = stratum(1, 100, size=3), stratum(80, 100, size=1)
    assert prevalence([none, all_]).share == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9])
def test_the_interval_holds_the_truth_as_often_as_it_says(share: float) -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        truth_found, truth_mistaken = 0.77, 0.006
        made = rng.random(400) < share
        called = np.where(made, rng.random(400) < truth_found, rng.random(400) < truth_mistaken)
        one = Stratum(
            "s", 1, Counted(int(called.sum()), 400),
            Counted(int(rng.binomial(250, truth_found)), 250),
            Counted(int(rng.binomial(1200, truth_mistaken)), 1200),
        )  # fmt: skip
        found = prevalence([one])
        held += found.lower <= share <= found.upper
    assert held >= 190


@given(
    st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(1, 50),
)  # fmt: skip
def test_a_share_is_a_share(called: int, found: int, mistaken: int, of: int) -> None:
    counted = [Counted(min(seen, of), of) for seen in (called, found, mistaken)]
    result = prevalence([Stratum("s", 1, *counted)])
    assert 0 <= result.lower <= result.upper <= 1
    assert 0 <= result.share <= 1


def test_without_tracks_there_is_no_share() -> None:
    with pytest.raises(ValueError, match="no tracks"):
        prevalence([])
