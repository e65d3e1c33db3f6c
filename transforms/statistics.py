"""Statistics stage: what hand-made forensic statistics say of every segment, and what needs a look.

Enters: ``SegmentBatch[NDArray]``, float32 ``[segments, samples]``, of one track. Leaves: where a
head on the statistics decides, ``SegmentBatch[SegmentScores]`` if the networks need not look, and
else, as where the CNN decides, ``SegmentBatch[MeasuredAudio]`` with the segments that they are to
read. Some windows side by side are heard together, see ``models/statistics/track_mean.py``.
``models/statistics/forensic_statistics.py`` has the methods.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.statistics.forensic_statistics import forensic_statistics, group_sums
from artifactnet.models.statistics.head import StatisticsHead
from artifactnet.models.statistics.track_mean import side_by_side
from artifactnet.transforms.detector.evidence import to_look_at
from artifactnet.transforms.detector.network_detector import Detector
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.elements.records import MeasuredAudio, SegmentScores


def head_scores(head: StatisticsHead, statistics: NDArray[np.float32], size: int) -> SegmentScores:
    """What the head says of statistics ``[segments, statistics]``.

    Args:
      head: that decides.
      statistics: of windows of one track, in their order; NaN where one could not be measured; an
        older head reads the first of them.
      size: of the networks' embedding, which is left open, like all of the networks' part.

    Raises:
      ValueError: the head returned something that is no number.
    """
    statistics = statistics[:, : head.features]
    start, contributions = head.contributions(statistics, side_by_side(len(statistics)))
    p_voice = head.p_voice(statistics)
    measured = np.isfinite(statistics).mean(axis=1)
    doubt = head.doubt(measured, p_voice)
    contributions = contributions * doubt[:, None]
    p_ai = 1 / (1 + np.exp(-(start * doubt + contributions.sum(axis=1))))
    if not np.isfinite(p_ai).all():
        raise ValueError("the detector returned NaN")
    return replace(
        SegmentScores.bare(p_ai.astype(np.float32), size),
        group_logits=group_sums(contributions),
        measured=measured.astype(np.float32),
        p_voice=p_voice.astype(np.float32),
    )


def measure(detector: Detector, audio: NDArray[np.float32]) -> MeasuredAudio | SegmentScores:
    """Scores of audio ``[segments, samples]``, or what the networks are to read of it."""
    if detector.head is None:
        return MeasuredAudio(None, np.arange(len(audio)), audio)
    statistics = np.stack([forensic_statistics(segment) for segment in audio])
    scores = head_scores(detector.head, statistics, detector.config.embedding_size)
    threshold = detector.config.threshold_ai
    chosen = np.array(to_look_at(scores.p_ai.tolist(), threshold, detector.evidence), np.intp)
    return MeasuredAudio(scores, chosen, audio[chosen]) if len(chosen) else scores


STATISTICS = SegmentStage("statistics", measure)
