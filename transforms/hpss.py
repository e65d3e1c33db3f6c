"""HPSS stage: the residual split into harmonic and percussive parts.

Enters: ``SegmentBatch[ResidualSpectra]``. Leaves: ``SegmentBatch[SeparatedSpectra]``.
"""

from transforms.records import ResidualSpectra, SeparatedSpectra
from transforms.stage import SegmentStageDoFn


class HpssDoFn(SegmentStageDoFn):
    """Harmonic-percussive separation of every residual."""

    stage = "hpss"

    def compute(self, payload: ResidualSpectra) -> SeparatedSpectra:
        """See :meth:`transforms.detector_stages.Detector.separate`."""
        return self.detector.separate(payload)
