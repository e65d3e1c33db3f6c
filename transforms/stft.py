"""STFT stage: audio to magnitude, moved to the device on the way.

Enters: ``SegmentBatch[NDArray]``, float32 ``[segments, samples]``. Leaves:
``SegmentBatch[Tensor]``, magnitude float32 ``[segments, bins, frames]``.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from transforms.stage import SegmentStageDoFn


class StftDoFn(SegmentStageDoFn):
    """Magnitude spectrogram of every segment."""

    stage = "stft"

    def compute(self, payload: NDArray[np.float32]) -> Tensor:
        """See :meth:`transforms.detector_stages.Detector.magnitude`."""
        return self.detector.magnitude(payload)
