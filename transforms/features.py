"""Feature stage: seven forensic channels of a separated residual.

Enters: ``SegmentBatch[SeparatedSpectra]``. Leaves: ``SegmentBatch[ForensicMaps]``
(``models/forensic_channels.py`` has the formulae).
"""

import torch

from artifactnet.models.forensic_channels import forensic_channels
from artifactnet.transforms.detector.network_detector import Detector
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.elements.records import ForensicMaps, SeparatedSpectra


@torch.inference_mode()
def features(detector: Detector, spectra: SeparatedSpectra) -> ForensicMaps:
    """Forensic channels ``[segments, 7, bins, frames]``; they need nothing of the detector."""
    del detector
    maps = forensic_channels(
        spectra.magnitude, spectra.residual, spectra.harmonic, spectra.percussive
    )
    return ForensicMaps(spectra.scores, spectra.chosen, maps)


FEATURES = SegmentStage("features", features)
