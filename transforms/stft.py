"""STFT stage: audio to magnitude, moved to the device on the way.

Enters: ``SegmentBatch[NDArray]``, float32 ``[segments, samples]``. Leaves:
``SegmentBatch[Tensor]``, magnitude float32 ``[segments, bins, frames]``.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from transforms.detector_stages import DetectorOptions, detector_of
from transforms.stage import SegmentStageDoFn


class StftDoFn(SegmentStageDoFn):
    """Magnitude spectrogram of every segment."""

    stage = "stft"

    def __init__(self, options: DetectorOptions) -> None:
        super().__init__()
        self._options = options

    def compute(self, payload: NDArray[np.float32]) -> Tensor:
        """See :meth:`transforms.detector_stages.Detector.magnitude`."""
        return detector_of(self._options).magnitude(payload)
