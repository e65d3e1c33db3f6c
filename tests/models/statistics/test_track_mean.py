"""Segments that are heard together move towards their mean, and no others."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from artifactnet.models.device import CPU_SEGMENTS
from artifactnet.models.statistics.track_mean import (
    SIDE_BY_SIDE,
    side_by_side,
    toward_mean,
    without_silence,
)


def test_batches_hold_a_multiple_of_what_is_heard_together() -> None:
    assert CPU_SEGMENTS % SIDE_BY_SIDE == 0
    assert side_by_side(2 * SIDE_BY_SIDE + 1).tolist() == [0] * 8 + [1] * 8 + [2]
    assert not side_by_side(0).size


@given(
    arrays(np.float32, (9, 3), elements=st.floats(-4, 4, width=32)),
    arrays(np.int64, 9, elements=st.integers(0, 1000)),
    st.floats(0, 1, width=32),
)
def test_moved_as_far_as_asked(x: np.ndarray, together: np.ndarray, share: float) -> None:
    moved = toward_mean(torch.from_numpy(x), together, share).numpy()
    for one in np.unique(together):
        own = together == one
        mean = x[own].mean(axis=0)
        np.testing.assert_allclose(moved[own], x[own] + share * (mean - x[own]), atol=1e-5)
        if own.sum() == 1:
            np.testing.assert_array_equal(moved[own], x[own])


def test_order_does_not_matter() -> None:
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    together = np.array([3, 0, 3, 0, 3, 7])
    order = np.array([5, 2, 0, 4, 1, 3])
    torch.testing.assert_close(
        toward_mean(x[order], together[order], 0.5), toward_mean(x, together, 0.5)[order]
    )


def test_silence_is_heard_by_itself() -> None:
    features = np.zeros((5, 3), np.float32)
    features[1:3] = np.nan
    features[3, :2] = np.nan
    own = without_silence(features, np.array([0, 0, 0, 0, 1]))
    assert own.tolist() == [0, 2, 3, 0, 1]
    assert not without_silence(features[:0], np.zeros(0, int)).size
