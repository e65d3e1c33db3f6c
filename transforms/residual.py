"""Residual stage: ArtifactUNet over every magnitude, by RunInference.

Enters: ``SegmentBatch[MagnitudeSpectra]``. Leaves:
``SegmentBatch[ResidualSpectra]``.
"""

import torch

from artifactnet.models.device import in_pieces
from artifactnet.transforms.detector.network_detector import Detector
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.elements.records import MagnitudeSpectra, ResidualSpectra


@torch.inference_mode()
def residual(detector: Detector, spectra: MagnitudeSpectra) -> ResidualSpectra:
    """What the codec left in each magnitude ``[segments, bins, frames]``.

    On a CPU, and where the device is short of memory, the batch goes through in pieces.
    """
    found = in_pieces(detector.network.unet, spectra.magnitude)
    return ResidualSpectra(spectra.scores, spectra.chosen, spectra.magnitude, found)


RESIDUAL = SegmentStage("residual", residual, has_network=True)
