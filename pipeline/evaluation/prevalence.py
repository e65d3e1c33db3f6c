"""How many tracks of a catalogue are generated, corrected for the detector's errors.

Enters: how many tracks of a sample are called ai, and how often known music is. Leaves: a share
with an interval (Rogan and Gladen 1978). Called ai are the generated tracks that are found and the
human ones that are mistaken; solved for the share of the generated,
``(called - false rate) / (found rate - false rate)``. The interval takes exact bounds
(Clopper and Pearson) of all three rates at once, each at a confidence by which all hold together
(Bonferroni), and wider by as much as the tracks of one source are alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

from artifactnet.pipeline.evaluation.intervals import Counted


class Stratum(NamedTuple):
    """Tracks of one kind, such as short clips.

    Attributes:
      name: of the kind.
      size: tracks of that kind in the catalogue, or their share of it.
      called: of the sample, how many are called ai.
      found: of known generated tracks of that kind, how many are.
      mistaken: of known human tracks of that kind, how many are.
    """

    name: str
    size: float
    called: Counted
    found: Counted
    mistaken: Counted


class Prevalence(NamedTuple):
    """A share of a catalogue, and where it surely lies at 95 % confidence."""

    share: float
    lower: float
    upper: float


def _solved(called: float, found: float, mistaken: float) -> float:
    if found <= mistaken:
        return 1.0 if called > mistaken else 0.0
    return min(1.0, max(0.0, (called - mistaken) / (found - mistaken)))


def prevalence(strata: Sequence[Stratum], confidence: float = 0.95) -> Prevalence:
    """The share of the generated tracks in a catalogue.

    Args:
      strata: kinds of tracks; of each at least one known track of either class, and one sampled.
      confidence: of the interval.

    Raises:
      ValueError: no tracks to reckon with.
    """
    total = sum(stratum.size for stratum in strata)
    if total <= 0 or any(
        min(one.called.tracks, one.found.tracks, one.mistaken.tracks) < 1 for one in strata
    ):
        raise ValueError("no tracks, or no known music to compare them with")
    error = (1 - confidence) / (3 * len(strata))
    share = lower = upper = 0.0
    for one in strata:
        weight = one.size / total
        called, found, mistaken = (
            (rate.seen / rate.tracks, *rate.bounds(error))
            for rate in (one.called, one.found, one.mistaken)
        )
        share += weight * _solved(called[0], found[0], mistaken[0])
        lower += weight * _solved(called[1], found[2], mistaken[2])
        # What is least found and least mistaken leaves most that was generated and missed.
        upper += weight * _solved(called[2], found[1], mistaken[1])
    return Prevalence(share, lower, upper)
