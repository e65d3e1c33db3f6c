"""From the scores of a track's segments to the track's.

Enters: P(AI) of segments. Leaves: one P(AI). The paper takes the median (ArtifactNet, arXiv
2604.16254). The mean of logits finds more of what is generated at the same rate of false alarms
where segments are scored by the statistics head, whose errors are small and many
(``docs/experiments/2026-11-25.md``); a segment's say is bounded, so that a few odd ones accuse
nobody.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MEDIAN, MEAN = "median", "mean"
POOLINGS = (MEDIAN, MEAN)
LIMIT = 8.0
"""Of a segment's logit in the mean."""


def bounded_logits(p_ai: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logits of scores, of one shape with them, each at most ``LIMIT`` from 0."""
    scores = p_ai.astype(np.float64)
    with np.errstate(divide="ignore"):
        return np.clip(np.log(scores) - np.log1p(-scores), -LIMIT, LIMIT)


def pooled(p_ai: Sequence[float] | NDArray[np.floating], pooling: str) -> float:
    """P(AI) of a track.

    Args:
      p_ai: of its segments, at least one.
      pooling: ``median``, or ``mean`` for that of the logits.
    """
    scores = np.asarray(p_ai, np.float64)
    if pooling == MEDIAN:
        return float(np.median(scores))
    return float(1 / (1 + np.exp(-bounded_logits(scores).mean())))
