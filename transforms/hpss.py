"""HPSS stage: the residual split into harmonic and percussive parts.

Enters: ``SegmentBatch[ResidualSpectra]``. Leaves: ``SegmentBatch[SeparatedSpectra]``.
"""

import torch

from artifactnet.models.hpss import hpss
from artifactnet.transforms.detector.network_detector import Detector
from artifactnet.transforms.detector.stages import SegmentStage
from artifactnet.transforms.elements.records import ResidualSpectra, SeparatedSpectra


@torch.inference_mode()
def separate(detector: Detector, spectra: ResidualSpectra) -> SeparatedSpectra:
    """Harmonic and percussive parts of each residual (``models/hpss.py`` has the method)."""
    harmonic, percussive = hpss(spectra.residual, detector.config.hpss_kernel)
    return SeparatedSpectra(
        spectra.scores,
        spectra.chosen,
        spectra.magnitude,
        spectra.residual,
        harmonic,
        percussive,
    )


HPSS = SegmentStage("hpss", separate)
