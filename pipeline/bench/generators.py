"""The mean AUC over generators, and by how much one scorer leads another.

Enters: scored tracks with their source and fold. Leaves: an AUC for each generator against the
genuine tracks of its own fold, since only those were scored by the same detector, and the
difference of two scorers' means with a bootstrap interval over pieces.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.bench.statistics import Estimate, ScoredTracks, auc, resampled

RESAMPLES = 200

Scores = NDArray[np.float64]


def generator_aucs(
    tracks: ScoredTracks, source: NDArray[np.str_], fold: NDArray[np.intp]
) -> NDArray[np.float64]:
    """AUC ``[generators]`` in the order of their names; NaN without genuine tracks in the fold."""
    found = []
    for name in np.unique(source[tracks.is_ai]):
        own = tracks.is_ai & (source == name)
        against = ~tracks.is_ai & (fold == fold[own][0])
        found.append(auc(tracks.take(np.flatnonzero(own | against))))
    return np.array(found)


def lead(
    scores: Sequence[Scores],
    other: Sequence[Scores],
    tracks: ScoredTracks,
    source: NDArray[np.str_],
    fold: NDArray[np.intp],
) -> Estimate:
    """How far the mean AUC over generators by ``scores`` is above that by ``other``.

    Args:
      scores: of the same tracks, ``[n]`` each, e.g. in several channels; averaged.
      other: as many.
      tracks: labels and groups; its own scores are not looked at.
      source: of each track.
      fold: of each track.

    Returns:
      The difference and its 95 % interval over bootstrap samples of pieces.
    """

    def mean(some: Sequence[Scores], index: NDArray[np.intp]) -> float:
        chosen = [replace(tracks, score=one).take(index) for one in some]
        return float(
            np.mean([np.nanmean(generator_aucs(t, source[index], fold[index])) for t in chosen])
        )

    everyone = np.arange(len(tracks))
    rng = np.random.default_rng(0)
    numbered = replace(tracks, score=everyone.astype(float))
    samples = [resampled(numbered, rng).score.astype(int) for _ in range(RESAMPLES)]
    changes = [mean(scores, one) - mean(other, one) for one in samples]
    low, high = np.nanpercentile(changes, [2.5, 97.5])
    return Estimate(mean(scores, everyone) - mean(other, everyone), float(low), float(high))
