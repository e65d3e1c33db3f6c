"""The verdict on each generator and each real source, by ArtifactBench's pass marks.

Enters: ``BenchTracks``. Leaves: a ``SourceResult`` per source.
"""

from dataclasses import dataclass

import numpy as np

from artifactnet.pipeline.bench.audited import BenchTracks
from artifactnet.pipeline.evaluation.metrics import auc

MOST_FALSE_POSITIVES = 0.05
FEWEST_TRUE_POSITIVES = 0.90
MEAN_DRIFT = 0.15
MOST_DRIFT = 0.35


@dataclass(frozen=True)
class SourceResult:
    """How the detector does on one source.

    Attributes:
      source: generator or real source.
      label: ``ai`` or ``real``.
      tracks: how many.
      called_ai: share with the verdict ``ai``: the true- or the false-positive rate.
      auc: against all tracks of the other class.
      drift_mean: mean codec drift; NaN without codecs.
      drift_max: largest codec drift.
      failures: marks that are missed, in words; empty for a pass.
    """

    source: str
    label: str
    tracks: int
    called_ai: float
    auc: float
    drift_mean: float
    drift_max: float
    failures: tuple[str, ...]


def _failures(is_ai: bool, called_ai: float, drift_mean: float, drift_max: float) -> list[str]:
    failures = []
    if is_ai and called_ai < FEWEST_TRUE_POSITIVES:
        failures.append(f"TPR {called_ai:.2f} < {FEWEST_TRUE_POSITIVES:.2f}")
    if not is_ai and called_ai > MOST_FALSE_POSITIVES:
        failures.append(f"FPR {called_ai:.2f} > {MOST_FALSE_POSITIVES:.2f}")
    if drift_mean > MEAN_DRIFT:
        failures.append(f"mean drift {drift_mean:.2f} > {MEAN_DRIFT:.2f}")
    if drift_max > MOST_DRIFT:
        failures.append(f"max drift {drift_max:.2f} > {MOST_DRIFT:.2f}")
    return failures


def by_source(tracks: BenchTracks) -> list[SourceResult]:
    """One result per source and label, generators first, each sorted by name."""
    results = []
    for is_ai in (True, False):
        for source in np.unique(tracks.source[tracks.is_ai == is_ai]):
            own = (tracks.source == source) & (tracks.is_ai == is_ai)
            some = tracks.take(own)
            against = tracks.take(own | (tracks.is_ai != is_ai))
            drifts = some.drift[~np.isnan(some.drift)]
            mean = float(drifts.mean()) if len(drifts) else float("nan")
            most = float(drifts.max()) if len(drifts) else float("nan")
            called = float(some.called_ai.mean())
            results.append(
                SourceResult(
                    source=str(source),
                    label="ai" if is_ai else "real",
                    tracks=len(some),
                    called_ai=called,
                    auc=auc(against.scored()),
                    drift_mean=mean,
                    drift_max=most,
                    failures=tuple(_failures(is_ai, called, mean, most)),
                )
            )
    return results
