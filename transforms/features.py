"""Feature stage: seven forensic channels of a separated residual.

Enters: ``SegmentBatch[SeparatedSpectra]``. Leaves: ``SegmentBatch[Tensor]``, float32
``[segments, 7, bins, frames]`` (``models/forensic_channels.py`` has the formulae).
"""

import torch
from torch import Tensor

from artifactnet.models.forensic_channels import forensic_channels
from artifactnet.transforms.detector.detector import Detector
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.elements.records import SeparatedSpectra


@torch.inference_mode()
def features(detector: Detector, spectra: SeparatedSpectra) -> Tensor:
    """Forensic channels ``[segments, 7, bins, frames]``; they need nothing of the detector."""
    del detector
    return forensic_channels(
        spectra.magnitude, spectra.residual, spectra.harmonic, spectra.percussive
    )


FEATURES = SegmentStage("features", features)
