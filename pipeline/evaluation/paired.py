"""Whether one detector is better than another on the same tracks.

Enters: scores and verdicts of two detectors on the same tracks. Leaves: the difference of their
AUCs with its interval (DeLong et al. 1988; tracks that are versions of one piece count as one,
Obuchowski 1997), and of their shares of right verdicts (McNemar 1947, exact).
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, rankdata

from artifactnet.pipeline.evaluation.intervals import exact_bounds


class PairedDifference(NamedTuple):
    """``value`` is that of the first less that of the second.

    Attributes:
      value: of the difference.
      low: of its 95 % interval.
      high: of its 95 % interval.
      p_value: two-sided, of no difference.
    """

    value: float
    low: float
    high: float
    p_value: float

    def __str__(self) -> str:
        """E.g. ``+0.026 [-0.041, +0.102]``."""
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def scored_by_all(scores: Iterable[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Which tracks have a score of every detector, ``[tracks]``.

    Args:
      scores: of each detector, ``[tracks]``, NaN where it has none.
    """
    return np.all([np.isfinite(one) for one in scores], axis=0)


def placements(score: NDArray[np.float64], is_ai: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each track the share of the other class that it is on the right side of, ``[tracks]``."""
    positive, negative = score[is_ai], score[~is_ai]
    ranks = rankdata(np.concatenate([positive, negative]))
    found = np.empty(len(score))
    found[is_ai] = (ranks[: len(positive)] - rankdata(positive)) / len(negative)
    found[~is_ai] = 1 - (ranks[len(positive) :] - rankdata(negative)) / len(positive)
    return found


def paired_auc(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    is_ai: NDArray[np.bool_],
    group: NDArray,
) -> PairedDifference:
    """Difference of two AUCs on the same tracks.

    Args:
      first: scores ``[tracks]``.
      second: scores of the same tracks.
      is_ai: labels, both classes present.
      group: tracks of one value are versions of one piece.

    Raises:
      ValueError: a class is missing.
    """
    if is_ai.all() or not is_ai.any():
        raise ValueError("an AUC needs tracks of both classes")
    difference = placements(first, is_ai) - placements(second, is_ai)
    value = float(difference[is_ai].mean())
    rest = difference - value
    weighted = rest / np.where(is_ai, is_ai.sum(), (~is_ai).sum())
    _, of = np.unique(group, return_inverse=True)
    pieces = np.bincount(of, weighted)
    count = len(pieces)
    variance = float(np.square(pieces).sum()) * count / max(1, count - 1)
    spread = float(np.sqrt(variance))
    if spread == 0:
        return PairedDifference(value, value, value, 1.0 if value == 0 else 0.0)
    p_value = 2 * float(norm.sf(abs(value) / spread))
    low, high = max(-1.0, value - 1.96 * spread), min(1.0, value + 1.96 * spread)
    return PairedDifference(value, low, high, p_value)


def paired_verdicts(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> PairedDifference:
    """Difference of two shares of right verdicts on the same tracks.

    The interval is exact given how many tracks the two disagree on.

    Args:
      first: whether each verdict was right, ``[tracks]``.
      second: of the other detector on the same tracks.
    """
    better, worse = int((first & ~second).sum()), int((second & ~first).sum())
    apart, tracks = better + worse, len(first)
    if not apart:
        return PairedDifference(0.0, 0.0, 0.0, 1.0)
    low, high = exact_bounds(better, apart, 0.05)
    scale = apart / tracks
    return PairedDifference(
        (better - worse) / tracks,
        (2 * low - 1) * scale,
        (2 * high - 1) * scale,
        float(binomtest(better, apart).pvalue),
    )


def adjusted(p_values: list[float]) -> list[float]:
    """P-values corrected for their number (Holm 1979)."""
    order = np.argsort(p_values)
    found, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        found[place] = highest
    return found
