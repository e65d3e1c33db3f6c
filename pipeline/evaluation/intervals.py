"""Intervals that hold with few tracks, and with tracks that are alike.

Enters: counts, or scores of two classes. Leaves: exact bounds of a rate (Clopper and Pearson 1934),
wider where tracks of one source are alike; the interval of an AUC by DeLong's variance.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, rankdata

FEWEST = 30
"""Tracks of a class below which no figure is given."""


def exact_bounds(seen: float, tracks: float, error: float) -> tuple[float, float]:
    """Bounds of a rate, each of which fails with probability ``error`` / 2 at most.

    Args:
      seen: tracks that did it; a fraction where a design effect makes fewer of them.
      tracks: of so many.
      error: of both bounds together.
    """
    rest = tracks - seen
    low = float(beta.ppf(error / 2, seen, rest + 1)) if seen > 0 else 0.0
    high = float(beta.ppf(1 - error / 2, seen + 1, rest)) if rest > 0 else 1.0
    return low, high


class Counted(NamedTuple):
    """``seen`` of ``tracks``.

    Attributes:
      seen: tracks that did it.
      tracks: of so many.
      design: design effect: by how much the tracks of one source being alike widens the variance.
    """

    seen: int
    tracks: int
    design: float = 1.0

    def bounds(self, error: float) -> tuple[float, float]:
        """Exact two-sided bounds that fail with probability ``error`` at most."""
        return exact_bounds(self.seen / self.design, self.tracks / self.design, error)


def counted_by_source(seen: NDArray[np.bool_], sources: Sequence[str] | NDArray) -> Counted:
    """Tracks that did it, with the design effect of their sources (Kish 1965, section 5.4).

    Args:
      seen: of each track ``[n]``.
      sources: of each track.
    """
    tracks, share = len(seen), float(np.mean(seen)) if len(seen) else 0.0
    _, of = np.unique(np.asarray(sources), return_inverse=True)
    clusters = int(of.max(initial=-1)) + 1
    if clusters < 2 or not 0 < share < 1:
        return Counted(int(np.sum(seen)), tracks)
    rest = np.bincount(of, seen - share)
    variance = float(np.square(rest).sum()) * clusters / (clusters - 1) / tracks**2
    return Counted(int(np.sum(seen)), tracks, max(1.0, variance * tracks / (share * (1 - share))))


def all_alike_bound(tracks: int) -> float:
    """What a rate of 1, seen on so many tracks, is at least, at 95 % confidence."""
    return float(0.025 ** (1 / tracks))


def auc_interval(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> tuple[float, float, float]:
    """AUC and its 95 % interval by DeLong's variance (DeLong et al. 1988), on the logit's scale.

    On that scale the interval stays inside [0, 1]. Where the classes are parted altogether, the
    variance is none, and the bound is that of so many tracks of which all did the same
    (Clopper and Pearson), so that a handful of tracks is no certainty.

    Args:
      positive: scores ``[n]``, n at least 2.
      negative: scores ``[m]``, m at least 2.
    """
    count, others = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    of_positive = (ranks[:count] - rankdata(positive)) / others
    of_negative = 1 - (ranks[count:] - rankdata(negative)) / count
    auc = float(of_positive.mean())
    bound = all_alike_bound(min(count, others))
    if auc in (0.0, 1.0):
        return (auc, bound, 1.0) if auc else (auc, 0.0, 1 - bound)
    variance = of_positive.var(ddof=1) / count + of_negative.var(ddof=1) / others
    logit, scale = np.log(auc / (1 - auc)), np.sqrt(variance) / (auc * (1 - auc))
    low, high = (1 / (1 + np.exp(-(logit + sign * 1.96 * scale))) for sign in (-1, 1))
    return auc, float(low), float(high)
