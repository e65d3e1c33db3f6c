"""STFT stage: audio to magnitude, moved to the device on the way.

Enters: ``SegmentBatch[NDArray]``, float32 ``[segments, samples]``. Leaves:
``SegmentBatch[Tensor]``, magnitude float32 ``[segments, bins, frames]``.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifactnet.transforms.detector.detector import Detector
from artifactnet.transforms.detector.stages import SegmentStage


@torch.inference_mode()
def magnitude(detector: Detector, audio: NDArray[np.float32]) -> Tensor:
    """Magnitude spectrogram ``[segments, bins, frames]`` of audio ``[segments, samples]``."""
    return detector.network.stft(torch.from_numpy(audio).to(detector.device))


STFT = SegmentStage("stft", magnitude)
