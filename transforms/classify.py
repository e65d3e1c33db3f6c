"""Classifier stage: the CNN over the forensic channels, by RunInference.

Enters: ``SegmentBatch[Tensor]``, forensic channels ``[segments, 7, bins, frames]``; for an ONNX
model, which stands in place of all stages from the STFT on, audio ``[segments, samples]``. Leaves:
``SegmentBatch[SegmentScores]``, off the device.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifactnet.models.forensic_channels import channel_statistics
from artifactnet.transforms.detector.detector import Detector
from artifactnet.transforms.detector.onnx import OnnxDetector
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.elements.records import SegmentScores


@torch.inference_mode()
def scores(detector: Detector, forensic_channels: Tensor) -> SegmentScores:
    """P(AI), embedding and channel statistics of each segment, back on the CPU.

    Raises:
      ValueError: the detector returned something that is no probability.
    """
    logit, embedding = detector.network.classifier(forensic_channels)
    p_ai = torch.sigmoid(logit).cpu().numpy()
    if not np.isfinite(p_ai).all():
        raise ValueError("the detector returned NaN")
    return SegmentScores(
        p_ai, embedding.cpu().numpy(), channel_statistics(forensic_channels).cpu().numpy()
    )


CLASSIFY = SegmentStage("classify", scores, has_network=True)


def scores_of_audio(detector: OnnxDetector, audio: NDArray[np.float32]) -> SegmentScores:
    """P(AI) of each segment by an ONNX model; there are no features to show."""
    return detector.scores(audio)


CLASSIFY_ONNX = SegmentStage("classify", scores_of_audio, has_network=True)
