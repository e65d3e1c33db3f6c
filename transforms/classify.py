"""Classifier stage: what is decided of every segment, by RunInference.

Enters: ``SegmentBatch[ForensicMaps]``; for an ONNX model, which stands in place of all stages from
the statistics on, audio ``[segments, samples]``. Leaves: ``SegmentBatch[SegmentScores]``, off the
device.

The CNN reads the forensic channels. Where the detector has a head on the
forensic statistics, that head decides, and the CNN's P(AI) is evidence beside it.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from artifactnet.models.forensic_channels import channel_statistics
from artifactnet.models.statistics.forensic_statistics import group_sums
from artifactnet.transforms.detector.detector import Detector
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
    network_p_ai = torch.sigmoid(logit).cpu().numpy()
    p_ai, group_logits = network_p_ai, np.zeros((len(network_p_ai), 0), np.float32)
    measured = np.ones(len(network_p_ai), np.float32)
    p_voice = np.full(len(network_p_ai), np.nan, np.float32)
    if detector.head is not None:
        assert maps.statistics is not None, "the statistics stage measures where there is a head"
        start, contributions = detector.head.contributions(maps.statistics)
        p_ai = _sigmoid(start + contributions.sum(axis=1))
        group_logits = group_sums(contributions)
        measured = np.isfinite(maps.statistics).mean(axis=1, dtype=np.float32)
        p_voice = detector.head.p_voice(maps.statistics).astype(np.float32)
    else:
        network_p_ai = np.full_like(p_ai, np.nan)
    if not np.isfinite(p_ai).all():
        raise ValueError("the detector returned NaN")
    return SegmentScores(
        p_ai=p_ai,
        embedding=embedding.cpu().numpy(),
        channel_statistics=channel_statistics(maps.forensic_channels).cpu().numpy(),
        network_p_ai=network_p_ai,
        group_logits=group_logits,
        measured=measured,
        p_voice=p_voice,
    )


def _sigmoid(logit: NDArray[np.float64]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-logit))).astype(np.float32)


CLASSIFY = SegmentStage("classify", scores, has_network=True)


def scores_of_audio(detector: OnnxDetector, audio: NDArray[np.float32]) -> SegmentScores:
    """P(AI) of each segment by an ONNX model; there are no features to show."""
    return detector.scores(audio)


CLASSIFY_ONNX = SegmentStage("classify", scores_of_audio, has_network=True)
