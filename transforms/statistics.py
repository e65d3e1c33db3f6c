"""Statistics stage: what hand-made forensic statistics say of every segment.

Enters: ``SegmentBatch[NDArray]``, float32 ``[segments, samples]``. Leaves:
``SegmentBatch[MeasuredAudio]``, the same audio and its statistics, or none where the detector
reads none. ``models/statistics/forensic_statistics.py`` has the methods.
"""

import numpy as np
from numpy.typing import NDArray

from artifactnet.models.statistics.forensic_statistics import forensic_statistics
from artifactnet.transforms.detector.detector import Detector
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.elements.records import MeasuredAudio


def measure(detector: Detector, audio: NDArray[np.float32]) -> MeasuredAudio:
    """Statistics ``[segments, statistics]`` of audio ``[segments, samples]``."""
    if detector.head is None:
        return MeasuredAudio(None, audio)
    return MeasuredAudio(np.stack([forensic_statistics(segment) for segment in audio]), audio)


STATISTICS = SegmentStage("statistics", measure)
