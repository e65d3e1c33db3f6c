"""Classifier stage: what the CNN says of the segments that it reads, by RunInference.

Enters: ``SegmentBatch[ForensicMaps]``; for an ONNX model, which stands in place of all stages from
the statistics on, audio ``[segments, samples]``. Leaves: ``SegmentBatch[SegmentScores]``, off the
device.

Where the detector has a head on the forensic statistics, that has decided before, and the CNN's
P(AI) is evidence beside it; otherwise the CNN decides.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from artifactnet.models.forensic_channels import channel_statistics
from artifactnet.transforms.detector.network_detector import Detector
from artifactnet.transforms.detector.onnx import OnnxDetector
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.elements.records import ForensicMaps, SegmentScores


@torch.inference_mode()
def scores(detector: Detector, maps: ForensicMaps) -> SegmentScores:
    """P(AI), and the evidence for it, of each segment, back on the CPU.

    Raises:
      ValueError: the detector returned something that is no probability.
    """
    logit, embedding = detector.network.classifier(maps.forensic_channels)
    p_ai = torch.sigmoid(logit).cpu().numpy()
    if not np.isfinite(p_ai).all():
        raise ValueError("the detector returned NaN")
    embedded = embedding.cpu().numpy()
    statistics = channel_statistics(maps.forensic_channels).cpu().numpy()
    if maps.scores is None:
        bare = SegmentScores.bare(p_ai)
        return replace(bare, embedding=embedded, channel_statistics=statistics)
    return replace(
        maps.scores,
        embedding=_filled(maps.scores.embedding, maps.chosen, embedded),
        channel_statistics=_filled(maps.scores.channel_statistics, maps.chosen, statistics),
        network_p_ai=_filled(maps.scores.network_p_ai, maps.chosen, p_ai),
    )


def _filled(
    rows: NDArray[np.float32], chosen: NDArray[np.intp], found: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``rows`` with ``found`` in the places ``chosen``."""
    filled = rows.copy()
    filled[chosen] = found
    return filled


CLASSIFY = SegmentStage("classify", scores, has_network=True)


def scores_of_audio(detector: OnnxDetector, audio: NDArray[np.float32]) -> SegmentScores:
    """P(AI) of each segment by an ONNX model; there are no features to show."""
    return detector.scores(audio)


CLASSIFY_ONNX = SegmentStage("classify", scores_of_audio, has_network=True)
