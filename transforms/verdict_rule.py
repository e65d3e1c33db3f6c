"""From segment scores to what is said of the track.

Enters: the scored segments of one track. Leaves: a :class:`~transforms.records.Verdict`. The
track's score is the median over its segments (ArtifactNet, arXiv 2604.16254), so that a few
odd segments accuse nobody.
"""

from collections.abc import Sequence

import numpy as np

from transforms.codec_roundtrip import UNPROCESSED
from transforms.records import ScoredSegment, Verdict


def judge(segments: Sequence[ScoredSegment], threshold_real: float, threshold_ai: float) -> Verdict:
    """Decide on a track.

    Args:
      segments: of the unprocessed audio and of every other codec.
      threshold_real: scores below are ``real``.
      threshold_ai: scores from here on are ``ai``; between the two it is ``uncertain``.

    Raises:
      ValueError: no segment of the unprocessed audio.
    """
    by_codec: dict[str, list[float]] = {}
    for segment in segments:
        by_codec.setdefault(segment.codec, []).append(segment.p_ai)
    if UNPROCESSED not in by_codec:
        raise ValueError("no segment of the unprocessed audio was scored")
    medians = {codec: float(np.median(scores)) for codec, scores in by_codec.items()}
    score = medians[UNPROCESSED]
    low, high = np.percentile(by_codec[UNPROCESSED], [25, 75])
    others = [abs(median - score) for codec, median in medians.items() if codec != UNPROCESSED]
    if score >= threshold_ai:
        verdict = "ai"
    elif score < threshold_real:
        verdict = "real"
    else:
        verdict = "uncertain"
    return Verdict(
        verdict=verdict,
        p_ai=score,
        p_ai_spread=float(high - low),
        codec_scores=tuple(sorted(medians.items(), key=lambda item: item[0] != UNPROCESSED)),
        codec_drift=max(others) if others else None,
    )
