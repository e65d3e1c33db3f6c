"""HPSS stage: the residual split into harmonic and percussive parts.

Enters: ``SegmentBatch[ResidualSpectra]``. Leaves: ``SegmentBatch[SeparatedSpectra]``.
"""

from transforms.detector_stages import DetectorOptions, detector_of
from transforms.records import ResidualSpectra, SeparatedSpectra
from transforms.stage import SegmentStageDoFn


class HpssDoFn(SegmentStageDoFn):
    """Harmonic-percussive separation of every residual."""

    stage = "hpss"

    def __init__(self, options: DetectorOptions) -> None:
        super().__init__()
        self._options = options

    def compute(self, payload: ResidualSpectra) -> SeparatedSpectra:
        """See :meth:`transforms.detector_stages.Detector.separate`."""
        return detector_of(self._options).separate(payload)
