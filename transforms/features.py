"""Feature stage: seven forensic channels of a separated residual.

Enters: ``SegmentBatch[SeparatedSpectra]``. Leaves: ``SegmentBatch[Tensor]``, float32
``[segments, 7, bins, frames]`` (:mod:`models.forensic_channels` has the formulae).
"""

from torch import Tensor

from transforms.detector_stages import DetectorOptions, detector_of
from transforms.records import SeparatedSpectra
from transforms.stage import SegmentStageDoFn


class FeaturesDoFn(SegmentStageDoFn):
    """Forensic channels of every segment."""

    stage = "features"

    def __init__(self, options: DetectorOptions) -> None:
        super().__init__()
        self._options = options

    def compute(self, payload: SeparatedSpectra) -> Tensor:
        """See :meth:`transforms.detector_stages.Detector.channels`."""
        return detector_of(self._options).channels(payload)
