"""From the scores of genuine tracks to a threshold whose false-positive rate can be claimed.

Enters: P(AI) of tracks that the detector was not trained on. Leaves: thresholds, each with
the upper confidence bound of the rate that it stands for (Clopper and Pearson 1934), or a
refusal that says how many tracks the claim needs.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta


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
    if exceeding >= tracks:
        return 1.0
    return float(beta.ppf(confidence, exceeding + 1, tracks - exceeding))


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
      ai: of the verdict ``ai``, by the share of genuine tracks accused.
      real: of the verdict ``real``.
      real_by: ``genuine`` where its rate is the share of genuine tracks that are not cleared,
        ``generated`` where it is the share of generated tracks that are.
    """

    ai: Claim
    real: Claim
    real_by: str


def calibrate(
    genuine: NDArray[np.float64],
    generated: NDArray[np.float64],
    fpr: float,
    miss_rate: float,
    confidence: float,
) -> Calibration:
    """Thresholds from scores.

    Args:
      genuine: scores of genuine tracks.
      generated: of generated ones; may be empty.
      fpr: share of genuine tracks that may be called ``ai``.
      miss_rate: share of generated tracks that may be called ``real``; without any, share of
        genuine tracks that may not be called ``real``.
      confidence: of both claims.

    Raises:
      ClaimError: too few tracks for the rates, or genuine tracks score 1.
    """
    ai = claim(genuine, fpr, confidence)
    if ai.threshold > 1:
        raise ClaimError(
            f"{int((genuine >= 1).sum())} of {len(genuine)} genuine tracks have the score 1: no "
            "threshold keeps them from being called ai"
        )
    if len(generated):
        real = max(0.0, -claim(-generated, miss_rate, confidence).threshold)
        real = min(real, ai.threshold)
        wrong, tracks, real_by = int((generated < real).sum()), len(generated), "generated"
    else:
        real = claim(genuine, miss_rate, confidence).threshold
        if real > ai.threshold:
            raise ClaimError(
                f"a rate of {miss_rate:g} not called real needs a threshold of {real:.4f}, above "
                f"that of ai, {ai.threshold:.4f}; ask for a rate of at least {fpr:g}"
            )
        wrong, tracks, real_by = int((genuine >= real).sum()), len(genuine), "genuine"
    bound = upper_bound(wrong, tracks, confidence)
    return Calibration(ai, Claim(real, wrong, tracks, bound), real_by)
