import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifactnet.pipeline.evaluation.folds import LabelledSource, assign_folds

ROWS = st.lists(
    st.builds(
        LabelledSource,
        st.sampled_from([f"{a}-{b}" for a in "abcdefgh" for b in "xy"]),
        st.sampled_from(["ai", "real"]),
        st.one_of(st.none(), st.sampled_from("pqr")),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_pairs_and_families_are_never_parted(rows: list[LabelledSource]) -> None:
    try:
        folds = assign_folds(rows, 2)
    except ValueError:
        return
    assert set(folds.values()) == {0, 1}
    for one in rows:
        for other in rows:
            family = one.source.split("-")[0] == other.source.split("-")[0]
            if family or (one.pair and one.pair == other.pair):
                assert folds[one.source] == folds[other.source]


def test_folds_are_balanced_in_both_classes() -> None:
    rng = np.random.default_rng(0)
    rows = [
        LabelledSource(f"{label}{n}", label, None)
        for label in ("ai", "real")
        for n in range(30)
        for _ in range(rng.integers(5, 30))
    ]
    folds = assign_folds(rows, 6)
    for label in ("ai", "real"):
        counts = np.bincount([folds[row.source] for row in rows if row.label == label])
        assert counts.min() > 0.8 * counts.max()


def test_what_cannot_be_folded_is_refused() -> None:
    with pytest.raises(ValueError, match="use two or more"):
        assign_folds([LabelledSource("a", "ai", None)], 1)
    with pytest.raises(ValueError, match="1 groups of sources can't fill 6 folds"):
        assign_folds([LabelledSource("a", "ai", None)], 6)
