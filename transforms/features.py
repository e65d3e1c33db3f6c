"""Feature stage: seven forensic channels of a separated residual.

Enters: ``SegmentBatch[SeparatedSpectra]``. Leaves: ``SegmentBatch[Tensor]``, float32
``[segments, 7, bins, frames]`` (:mod:`models.forensic_channels` has the formulae).
"""

from torch import Tensor

from transforms.records import SeparatedSpectra
from transforms.stage import SegmentStageDoFn


class FeaturesDoFn(SegmentStageDoFn):
    """Forensic channels of every segment."""

    stage = "features"

    def compute(self, payload: SeparatedSpectra) -> Tensor:
        """See :meth:`transforms.detector_stages.Detector.channels`."""
        return self.detector.channels(payload)
