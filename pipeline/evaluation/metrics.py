"""What scored, labelled tracks say about a detector.

Enters: ``ScoredTracks``. Leaves: ``Metrics``, rates with exact intervals, wider where the versions
of one piece are alike, the other figures with a bootstrap interval over pieces; the AUC of each
generator against the real tracks of its own fold, since only those were scored by the same
detector; the paired difference of two scorers; and thresholds, each with the upper confidence bound
of the rate that it stands for (Clopper and Pearson 1934), or a refusal that says how many tracks
the claim needs. The figures are scikit-learn's where it has them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import auc as area
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score, roc_curve

from artifactnet.pipeline.evaluation.intervals import (
    FEWEST,
    Counted,
    all_alike_bound,
    counted_by_source,
    exact_bounds,
)

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


TOO_FEW = "too few tracks"


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

    def shown(self, name: str) -> str:
        """The figure ``name`` as text, or that there are too few tracks to speak of one."""
        needed = {"fpr": (self.tracks_real,), "recall": (self.tracks_ai,)}
        if min(needed.get(name, (self.tracks_ai, self.tracks_real))) < FEWEST:
            return TOO_FEW
        return str(getattr(self, name))


FIGURES = ("f1", "precision", "recall", "fpr", "auc", "tpr_at_fpr_1", "tpr_at_fpr_5")
"""Of ``Metrics``, in the order of the reports."""


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


def figures(tracks: ScoredTracks) -> dict[str, float]:
    """Every figure of ``FIGURES``; NaN where the tracks can't give it."""
    found = dict.fromkeys(FIGURES, float("nan"))
    real = ~tracks.is_ai
    if real.any():
        found["fpr"] = float(tracks.called_ai[real].mean())
    if tracks.is_ai.any():
        scores = precision_recall_fscore_support(
            tracks.is_ai, tracks.called_ai, average="binary", zero_division=0.0
        )
        found |= dict(zip(("precision", "recall", "f1"), map(float, scores[:3]), strict=True))
    if real.any() and tracks.is_ai.any():
        false, true, _ = roc_curve(tracks.is_ai, tracks.score, drop_intermediate=False)
        found["auc"] = float(area(false, true))
        found["tpr_at_fpr_1"] = float(true[false <= 0.01].max())
        found["tpr_at_fpr_5"] = float(true[false <= 0.05].max())
    return found


def resampled(tracks: ScoredTracks, rng: np.random.Generator) -> ScoredTracks:
    """A bootstrap sample: groups drawn with replacement, each with all of its tracks."""
    _, group = np.unique(tracks.group, return_inverse=True)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    drawn = rng.integers(len(members), size=len(members))
    return tracks.take(np.concatenate([members[index] for index in drawn]))


def measure(tracks: ScoredTracks, seed: int = 0, resamples: int | None = None) -> Metrics:
    """All figures of ``tracks`` with their intervals.

    Args:
      tracks: at least one.
      seed: of the bootstrap.
      resamples: how many bootstrap samples; ``None`` for ``RESAMPLES``.
    """
    rng = np.random.default_rng(seed)
    whole = figures(tracks)
    samples = [figures(resampled(tracks, rng)) for _ in range(resamples or RESAMPLES)]
    tail = 100 * (1 - CONFIDENCE) / 2
    rates = _rates(tracks)
    real = ~tracks.is_ai
    pieces = min(len(np.unique(tracks.group[side])) for side in (tracks.is_ai, real))
    estimates = {}
    for name in FIGURES:
        if name in rates:
            estimates[name] = Estimate(whole[name], *rates[name].bounds(1 - CONFIDENCE))
            continue
        values = np.array([sample[name] for sample in samples])
        values = values[~np.isnan(values)]
        low, high = np.percentile(values, [tail, 100 - tail]) if len(values) else (np.nan, np.nan)
        if pieces and low == high == whole[name]:  # nothing was ever drawn otherwise: no certainty
            spread = 1 - all_alike_bound(pieces)
            low, high = max(0.0, low - spread), min(1.0, high + spread)
        estimates[name] = Estimate(whole[name], float(low), float(high))
    return Metrics(int(tracks.is_ai.sum()), int(real.sum()), **estimates)


def _rates(tracks: ScoredTracks) -> dict[str, Counted]:
    """The figures that are rates of tracks, as counts with the design effect of their pieces."""
    sides = {
        "precision": (tracks.called_ai, tracks.is_ai),
        "recall": (tracks.is_ai, tracks.called_ai),
        "fpr": (~tracks.is_ai, tracks.called_ai),
    }
    return {
        name: counted_by_source(did[among], tracks.group[among])
        for name, (among, did) in sides.items()
        if among.any()
    }


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


GENERATOR_RESAMPLES = 200

Scores = NDArray[np.float64]


def generator_aucs(
    tracks: ScoredTracks, source: NDArray[np.str_], fold: NDArray[np.intp]
) -> NDArray[np.float64]:
    """AUC ``[generators]`` in the order of their names; NaN without real tracks in the fold."""
    found = []
    for name in np.unique(source[tracks.is_ai]):
        own = tracks.is_ai & (source == name)
        against = ~tracks.is_ai & (fold == fold[own][0])
        found.append(auc(tracks.take(np.flatnonzero(own | against))))
    return np.array(found)


def auc_difference(
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
    samples = [resampled(numbered, rng).score.astype(int) for _ in range(GENERATOR_RESAMPLES)]
    changes = [mean(scores, one) - mean(other, one) for one in samples]
    low, high = np.nanpercentile(changes, [2.5, 97.5])
    return Estimate(mean(scores, everyone) - mean(other, everyone), float(low), float(high))


class ClaimError(ValueError):
    """The tracks at hand can't carry the claim."""


@dataclass(frozen=True)
class Claim:
    """A threshold and what is claimed of it.

    Attributes:
      threshold: scores of at least this exceed it.
      exceeding: tracks that do.
      tracks: tracks that it was set on.
      upper_bound: of the rate, at the confidence that was asked for.
    """

    threshold: float
    exceeding: int
    tracks: int
    upper_bound: float


def upper_bound(exceeding: int, tracks: int, confidence: float) -> float:
    """Clopper-Pearson upper bound of a rate, ``exceeding`` of ``tracks`` seen."""
    return exact_bounds(exceeding, tracks, 2 * (1 - confidence))[1]


def tracks_needed(rate: float, confidence: float) -> int:
    """Fewest tracks, none of them exceeding, that carry a claim of ``rate``."""
    return math.ceil(math.log(1 - confidence) / math.log(1 - rate))


def claim(scores: NDArray[np.float64], rate: float, confidence: float) -> Claim:
    """Lowest threshold whose rate of exceeding scores is claimed to be at most ``rate``.

    Args:
      scores: of independent tracks ``[n]``.
      rate: claimed at most, in (0, 1).
      confidence: of the claim, in (0, 1).

    Raises:
      ValueError: no such rate.
      ClaimError: ``n`` tracks can't carry it; the message says how many could.
    """
    if not 0 < rate < 1:
        raise ValueError(f"a rate of {rate:g} can't be claimed; use one between 0 and 1")
    tracks = len(scores)
    if not tracks or upper_bound(0, tracks, confidence) > rate:
        raise ClaimError(
            f"{tracks} tracks can't carry a rate of {rate:g} at {confidence:.0%} confidence: it "
            f"takes at least {tracks_needed(rate, confidence)}, and none of them above"
        )
    allowed = 0
    while upper_bound(allowed + 1, tracks, confidence) <= rate:
        allowed += 1
    ordered = np.sort(np.asarray(scores, np.float64))[::-1]
    # The first score that must not exceed decides; of equal ones all stay below.
    threshold = float(np.nextafter(ordered[allowed], np.inf))
    exceeding = int((ordered >= threshold).sum())
    return Claim(threshold, exceeding, tracks, upper_bound(exceeding, tracks, confidence))


@dataclass(frozen=True)
class Calibration:
    """Both thresholds of a verdict.

    Attributes:
      ai: of the verdict ``ai``, by the share of real tracks accused.
      real: of the verdict ``real``.
      real_by: ``real`` where its rate is the share of real tracks that are not cleared,
        ``generated`` where it is the share of generated tracks that are.
    """

    ai: Claim
    real: Claim
    real_by: str


def calibrate(
    human: NDArray[np.float64],
    generated: NDArray[np.float64],
    fpr: float,
    miss_rate: float,
    confidence: float,
) -> Calibration:
    """Thresholds from scores.

    Args:
      human: scores of real tracks.
      generated: of generated ones; may be empty.
      fpr: share of real tracks that may be called ``ai``.
      miss_rate: share of generated tracks that may be called ``real``; without any, share of
        real tracks that may not be called ``real``.
      confidence: of both claims.

    Raises:
      ClaimError: too few tracks for the rates, or real tracks score 1.
    """
    ai = claim(human, fpr, confidence)
    if ai.threshold > 1:
        raise ClaimError(
            f"{int((human >= 1).sum())} of {len(human)} real tracks have the score 1: no "
            "threshold keeps them from being called ai"
        )
    if len(generated):
        real = max(0.0, -claim(-generated, miss_rate, confidence).threshold)
        real = min(real, ai.threshold)
        wrong, tracks, real_by = int((generated < real).sum()), len(generated), "generated"
    else:
        real = claim(human, miss_rate, confidence).threshold
        if real > ai.threshold:
            raise ClaimError(
                f"a rate of {miss_rate:g} not called real needs a threshold of {real:.4f}, above "
                f"that of ai, {ai.threshold:.4f}; ask for a rate of at least {fpr:g}"
            )
        wrong, tracks, real_by = int((human >= real).sum()), len(human), "real"
    bound = upper_bound(wrong, tracks, confidence)
    return Calibration(ai, Claim(real, wrong, tracks, bound), real_by)
