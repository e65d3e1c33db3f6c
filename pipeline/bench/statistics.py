"""What a set of scored, labelled tracks says about a detector.

Enters: :class:`ScoredTracks`. Leaves: :class:`Metrics`, each figure with a bootstrap interval
over groups, so that the versions of one piece are resampled together. The figures are
scikit-learn's where it has them.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score, roc_curve

RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class ScoredTracks:
    """Parallel arrays, one entry a track.

    Attributes:
      is_ai: bool, the label.
      score: float, P(AI).
      called_ai: bool, the verdict was ``ai``.
      group: tracks of one value are one piece of music.
    """

    is_ai: NDArray[np.bool_]
    score: NDArray[np.float64]
    called_ai: NDArray[np.bool_]
    group: NDArray[np.str_]

    def __len__(self) -> int:
        """Number of tracks."""
        return len(self.is_ai)

    def take(self, index: NDArray) -> "ScoredTracks":
        """The tracks at ``index``."""
        return ScoredTracks(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True)
class Estimate:
    """A figure and its bootstrap interval; NaN where the tracks can't give it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """E.g. ``0.912 [0.88, 0.94]``."""
        if np.isnan(self.value):
            return ""
        return f"{self.value:.3f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Metrics:
    """Figures of one set of tracks; ``tracks_ai`` and ``tracks_real`` are its size."""

    tracks_ai: int
    tracks_real: int
    f1: Estimate
    precision: Estimate
    recall: Estimate
    fpr: Estimate
    auc: Estimate
    tpr_at_fpr_1: Estimate
    tpr_at_fpr_5: Estimate


def _false_positive_rate(tracks: ScoredTracks) -> float:
    real = ~tracks.is_ai
    return float(tracks.called_ai[real].mean()) if real.any() else float("nan")


def _prf(position: int) -> Callable[[ScoredTracks], float]:
    def figure(tracks: ScoredTracks) -> float:
        if not tracks.is_ai.any():
            return float("nan")
        return float(
            precision_recall_fscore_support(
                tracks.is_ai, tracks.called_ai, average="binary", zero_division=0.0
            )[position]
        )

    return figure


def auc(tracks: ScoredTracks) -> float:
    """Area under the ROC curve; NaN with one class only."""
    if tracks.is_ai.all() or not tracks.is_ai.any():
        return float("nan")
    return float(roc_auc_score(tracks.is_ai, tracks.score))


def tpr_at(rate: float) -> Callable[[ScoredTracks], float]:
    """Largest true-positive rate at a false-positive rate of at most ``rate``."""

    def figure(tracks: ScoredTracks) -> float:
        if tracks.is_ai.all() or not tracks.is_ai.any():
            return float("nan")
        false, true, _ = roc_curve(tracks.is_ai, tracks.score, drop_intermediate=False)
        return float(true[false <= rate].max())

    return figure


FIGURES: dict[str, Callable[[ScoredTracks], float]] = {
    "f1": _prf(2),
    "precision": _prf(0),
    "recall": _prf(1),
    "fpr": _false_positive_rate,
    "auc": auc,
    "tpr_at_fpr_1": tpr_at(0.01),
    "tpr_at_fpr_5": tpr_at(0.05),
}


def resampled(tracks: ScoredTracks, rng: np.random.Generator) -> ScoredTracks:
    """A bootstrap sample: groups drawn with replacement, each with all of its tracks."""
    _, group = np.unique(tracks.group, return_inverse=True)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    drawn = rng.integers(len(members), size=len(members))
    return tracks.take(np.concatenate([members[index] for index in drawn]))


def measure(tracks: ScoredTracks, seed: int = 0, resamples: int = RESAMPLES) -> Metrics:
    """All figures of ``tracks`` with their intervals.

    Args:
      tracks: at least one.
      seed: of the bootstrap.
      resamples: how many bootstrap samples.
    """
    rng = np.random.default_rng(seed)
    samples = [resampled(tracks, rng) for _ in range(resamples)]
    tail = 100 * (1 - CONFIDENCE) / 2
    estimates = {}
    for name, figure in FIGURES.items():
        values = np.array([figure(sample) for sample in samples])
        values = values[~np.isnan(values)]
        low, high = np.percentile(values, [tail, 100 - tail]) if len(values) else (np.nan, np.nan)
        estimates[name] = Estimate(figure(tracks), float(low), float(high))
    return Metrics(int(tracks.is_ai.sum()), int((~tracks.is_ai).sum()), **estimates)


def expected_calibration_error(tracks: ScoredTracks, bins: int = 10) -> float:
    """Mean distance of score and share of AI over equal-width bins (Naeini et al. 2015)."""
    index = np.minimum((tracks.score * bins).astype(int), bins - 1)
    return float(
        sum(
            (index == one).mean()
            * abs(tracks.score[index == one].mean() - tracks.is_ai[index == one].mean())
            for one in np.unique(index)
        )
    )
