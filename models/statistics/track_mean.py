"""What the windows of a track say together: statistics moved towards their mean over the track.

Enters: standardised statistics ``[segments, inputs]``, and which segments are heard together.
Leaves: the same, each moved some of the way to their mean. Music comes and goes from window to
window, the trace of a decoder stays: the mean holds more of the one and less of the other.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifactnet.models.statistics.parallel import ParallelNetworks

SIDE_BY_SIDE = 8
"""Windows of a track, one behind the other, that an audit hears together at most. Batches hold a
multiple of it, so that no device hears others; a track has seven windows where nobody asks for
more. Where every second is heard it is half a minute: parts of spliced tracks are found as well
as when each window is heard by itself, which those of a whole track heard together are not."""

Together = NDArray[np.integer] | None
"""Segments of the same number are heard together ``[segments]``; ``None``: each by itself."""


def side_by_side(segments: int) -> NDArray[np.intp]:
    """Which of a track's ``segments``, in their order, are heard together."""
    return np.arange(segments) // SIDE_BY_SIDE


def heard(
    networks: ParallelNetworks,
    features: NDArray[np.float32],
    together: Together,
    share: float,
) -> Tensor:
    """What ``networks`` read of ``features``, as their ``inputs`` returns it.

    Args:
      networks: that standardise.
      features: ``[segments, statistics]``, NaN where one could not be measured.
      together: segments of the same number are heard together ``[segments]``, or each by itself;
        one without any statistic is heard by itself.
      share: how far of the way to the mean of those heard together, 0 to 1.
    """
    inputs = networks.inputs(torch.from_numpy(features))
    if together is None or not share:
        return inputs
    return toward_mean(inputs, without_silence(features, together), share)


def toward_mean(inputs: Tensor, together: NDArray[np.integer], share: float) -> Tensor:
    """``inputs`` moved by ``share`` of the way to their mean over the segments heard together.

    A segment that is heard by itself stays as it is, to the last bit.

    Args:
      inputs: float32 ``[segments, inputs]``.
      together: segments of the same number are heard together, ``[segments]``.
      share: 0 to 1.
    """
    row = torch.from_numpy(np.unique(together, return_inverse=True)[1])
    count = torch.bincount(row)
    total = inputs.new_zeros(len(count), inputs.shape[1]).index_add_(0, row, inputs)
    return torch.lerp(inputs, (total / count[:, None])[row], share)


def without_silence(
    features: NDArray[np.float32], together: NDArray[np.integer]
) -> NDArray[np.intp]:
    """``together``, but segments without any statistic, silence say, by themselves.

    Args:
      features: ``[segments, statistics]``, NaN where one could not be measured.
      together: segments of the same number are heard together, ``[segments]``.
    """
    own = np.array(together, np.intp)
    silent = ~np.isfinite(features).any(axis=1)
    own[silent] = own.max(initial=0) + 1 + np.arange(silent.sum())
    return own
