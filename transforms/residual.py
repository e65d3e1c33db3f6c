"""Residual stage: ArtifactUNet over every magnitude, by RunInference.

Enters: ``SegmentBatch[Tensor]``, magnitude ``[segments, bins, frames]``. Leaves:
``SegmentBatch[ResidualSpectra]``.
"""

import torch
from torch import Tensor

from artifactnet.models.device import halving_on_oom
from artifactnet.transforms.detector.detector import Detector
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.elements.records import ResidualSpectra


@torch.inference_mode()
def residual(detector: Detector, magnitude: Tensor) -> ResidualSpectra:
    """What the codec left in each magnitude ``[segments, bins, frames]``.

    Where the device is short of memory, the batch goes through in halves.
    """
    return ResidualSpectra(magnitude, halving_on_oom(detector.network.unet, magnitude))


RESIDUAL = SegmentStage("residual", residual, has_network=True)
