import pytest

from artifactnet.transforms.manifests.sample import RowSample

KEYS = [f"t{number}" for number in range(5000)]


def test_a_sample_is_about_its_share_and_the_same_every_time() -> None:
    drawn = [key for key in KEYS if RowSample(0.1, 7).holds(key)]
    assert 400 < len(drawn) < 600
    assert drawn == [key for key in KEYS if RowSample(0.1, 7).holds(key)]
    assert drawn != [key for key in KEYS if RowSample(0.1, 8).holds(key)]


def test_a_larger_share_holds_the_smaller_one() -> None:
    small, large = RowSample(0.01, 7), RowSample(0.2, 7)
    assert all(large.holds(key) for key in KEYS if small.holds(key))
    assert all(RowSample().holds(key) for key in KEYS)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="--sample is"):
        RowSample(share)
